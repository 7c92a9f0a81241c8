use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};

use crate::fixture;

#[tokio::test(flavor = "multi_thread")]
async fn five_processes_document_a_repository() {
    let repository = fixture::repository();
    let served = repository.serve().await;
    let stack = Stack::start(StackOptions::with_host(served.host())).await;
    let run = stack.api.submit(&served.url()).await;
    assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed");
    let dump = stack.dump(run).await;
    for expected in ["\"name\": \"greet\"", "src/text.rs", "== citations\n", "Adds two numbers."] {
        assert!(dump.contains(expected), "{expected} is not in the dump");
    }
    // More than one batch, or the fan-in has not been tested.
    let (_, answer) = stack.api.run(run).await;
    assert!(answer["stages"]["clone"]["batches"].as_u64().unwrap_or_default() > 1, "{answer}");
}
