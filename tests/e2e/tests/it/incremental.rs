use std::time::Duration;

use caffeine_bus::{Bus, BusConfig};
use caffeine_contract::Command;
use caffeine_e2e::{Stack, StackOptions};
use caffeine_store::Store;
use caffeine_testkit::eventually;
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

/// How many rows of a table belong to the path that has changed, or to runs.
async fn count(stack: &Stack, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(stack.database.pool()).await.expect("the rows can be counted")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_kept_snapshot_lists_is_collected() {
    let mut repository = fixture::repository();
    let served = repository.serve().await;
    let stack = Stack::start(StackOptions::with_host(served.host())).await;
    let mut last = None;
    for text in ["/// One.\npub fn join() {}\n", "/// Two.\npub fn join() {}\n", "/// Three.\npub fn join() {}\n"] {
        repository.commit("Change one file", [("src/text.rs", Entry::file(text))]);
        let run = stack.api.submit(&served.url()).await;
        assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
        last = Some(run);
    }
    let last = last.expect("three runs");
    let before = stack.dump(last).await;
    let versions = "SELECT count(*) FROM file_versions WHERE path = 'src/text.rs'";
    let chunks = "SELECT count(DISTINCT file_version_id) FROM chunks WHERE path = 'src/text.rs'";
    assert_eq!((count(&stack, versions).await, count(&stack, chunks).await), (3, 3));

    let config = BusConfig {
        url: stack.bus.url().to_owned(),
        prefix: stack.bus.prefix().to_owned(),
        name: "housekeeper".to_owned(),
        nkey: None,
    };
    let bus = Bus::connect(&config).await.expect("the broker is there");
    let store = Store::connect(stack.database.url(), 1, "test").await.expect("the database is there");
    // As the housekeeper does: ask until nothing is left to be collected.
    eventually(Duration::from_secs(60), || async {
        let left = store.collectable_repositories().await.expect("the rows can be asked");
        for (workspace, repository) in &left {
            bus.command(&Command::Collect { workspace: *workspace, repository: *repository }).await.expect("publish");
        }
        left.is_empty() && count(&stack, versions).await == 1 && count(&stack, chunks).await == 1
    })
    .await;
    assert_eq!(count(&stack, "SELECT count(*) FROM snapshots").await, 1);
    assert_eq!(count(&stack, "SELECT count(*) FROM chunk_runs").await, 1);
    assert_eq!(count(&stack, "SELECT count(*) FROM embed_runs").await, 1);
    assert!(stack.dump(last).await == before, "collection changed the kept run");

    // What was collected is not known any more, what was kept is.
    repository.commit("Back", [("src/text.rs", Entry::file("/// One.\npub fn join() {}\n"))]);
    let back = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(back, Duration::from_secs(120)).await, "completed");
    let (_, answer) = stack.api.run(back).await;
    assert_eq!(answer["stages"]["clone"]["sent"], 1, "{answer}");
    assert_eq!(count(&stack, "SELECT count(*) FROM runs WHERE state <> 'completed'").await, 0);
}
