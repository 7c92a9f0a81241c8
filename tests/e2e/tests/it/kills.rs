//! Each worker service is killed at four points. The result is the same as undisturbed.

use std::time::Duration;

use caffeine_e2e::{Stack, StackOptions};
use caffeine_testkit::eventually;

use crate::fixture;

const POINTS: [&str; 4] = ["after_pull", "after_commit", "after_publish", "before_ack"];

/// Kills `service` at each point of handling `message`, one system each, and compares the dumps.
async fn check(service: &str, message: &str) {
    let repository = fixture::repository();
    let served = repository.serve().await;
    let undisturbed = Stack::start(StackOptions::with_host(served.host())).await;
    let run = undisturbed.api.submit(&served.url()).await;
    assert_eq!(undisturbed.ended(run, Duration::from_secs(120)).await, "completed");
    let expected = undisturbed.dump(run).await;
    drop(undisturbed);
    for point in POINTS {
        let stack = Stack::start(StackOptions {
            fault: Some(format!("{service}:{message}:{point}")),
            ..StackOptions::with_host(served.host())
        })
        .await;
        let run = stack.api.submit(&served.url()).await;
        assert_eq!(stack.ended(run, Duration::from_secs(120)).await, "completed", "{service} {point}");
        assert!(stack.fault_struck(), "{service} was not killed {point}");
        // The last thing a service does may be what ends the run, before it has been started again.
        eventually(Duration::from_secs(10), || async { stack.services[service].starts() == 2 }).await;
        let dump = stack.dump(run).await;
        assert!(dump == expected, "{service} {point}:\n{}", first_difference(&expected, &dump));
    }
}

fn first_difference(expected: &str, found: &str) -> String {
    let differs = expected.lines().zip(found.lines()).find(|(one, other)| one != other);
    differs.map_or_else(
        || format!("{} lines against {}", expected.lines().count(), found.lines().count()),
        |(one, other)| format!("expected {one}\nfound    {other}"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn cloner() {
    check("cloner", "clone.requested").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunker() {
    check("chunker", "files.batch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedder() {
    check("embedder", "chunks.batch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doc_writer() {
    check("doc-writer", "page.requested").await;
}
