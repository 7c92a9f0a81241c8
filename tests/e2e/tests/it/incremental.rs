use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::git::Entry;

use crate::fixture;

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_travels() {
    let mut repository = fixture::repository();
    let served = repository.serve().await;
    let stack = Stack::start(StackOptions::with_host(served.host())).await;
    let sent = |answer: &serde_json::Value| {
        let clone = &answer["stages"]["clone"];
        (clone["batches"].as_u64().expect("batches"), clone["sent"].as_u64().expect("sent"))
    };

    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    let (_, first) = stack.api.run(run).await;
    assert_eq!(sent(&first).1, 8);

    // The same commit again: nothing.
    let again = stack.api.submit(&served.url()).await;
    assert_ne!(again, run);
    assert_eq!(stack.ended(again, Duration::from_secs(120)).await, "completed");
    assert_eq!(sent(&stack.api.run(again).await.1), (0, 0));

    // One file more or less: one batch with one file.
    repository.commit("Change one file", [("src/text.rs", Entry::file("/// Joins.\npub fn join() {}\n"))]);
    let changed = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(changed, Duration::from_secs(120)).await, "completed");
    assert_eq!(sent(&stack.api.run(changed).await.1), (1, 1));
}
