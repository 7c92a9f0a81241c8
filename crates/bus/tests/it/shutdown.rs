use std::sync::Arc;
use std::time::Duration;

use caffeine_contract::Stream;
use caffeine_testkit::eventually;
use tokio::sync::Notify;

use crate::fixture::{Fixture, SOON, Script, output, quick};

#[tokio::test]
async fn what_runs_is_finished_and_nothing_new_is_begun() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(5).await;
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let handler = Script::new(move |seen, _| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.notified().await;
            Ok(vec![output(&seen.scope, seen.batch)])
        }
    });
    let worker = fixture.start(quick(), &handler);
    let slots = quick().slots;
    eventually(SOON, || async { handler.calls().len() == slots }).await;
    worker.shutdown.cancel();
    go_on.notify_waiters();
    worker.stop().await;
    assert_eq!(handler.calls().len(), slots);
    assert_eq!(fixture.count(Stream::Files).await, 5 - slots as u64);
    assert_eq!(fixture.count(Stream::Chunks).await, slots as u64);
}

#[tokio::test]
async fn what_does_not_end_is_handed_back_at_once_and_uncounted() {
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let stuck = Script::new(|seen, _| async move {
        seen.cancelled.cancelled().await;
        Err(caffeine_bus::Failure::retry("interrupted"))
    });
    let hasty = fixture.another_bus("hasty").await.with_grace(Duration::from_millis(100));
    let worker = fixture.start_on(hasty, quick(), &stuck);
    eventually(SOON, || async { stuck.calls().len() == 1 }).await;
    worker.stop().await;

    let handler = Script::simple();
    let next = fixture.start(quick(), &handler);
    // Far less than the ack wait.
    fixture.wait_for(Stream::Files, 0).await;
    next.stop().await;
    assert_eq!(handler.calls()[0].attempts, 0);
    assert!(fixture.inbox.reasons.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_that_waits_for_messages_stops_at_once() {
    let fixture = Fixture::new().await;
    let handler = Script::simple();
    let worker = fixture.start(quick(), &handler);
    fixture.publish_batches(1).await;
    fixture.wait_for(Stream::Files, 0).await;
    let begun = tokio::time::Instant::now();
    worker.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "the pending pull is given up");
    // A message that comes now waits for the next worker, and not for the ack wait of a dead pull.
    fixture.bus.try_publish(&fixture.batch(9)).await.unwrap();
    let next = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    next.stop().await;
}

/// Messages are published while a worker stops: what it does not do it hands back, and nothing waits for the end of an
/// ack wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_in_the_last_moment_is_handed_back() {
    let fixture = Fixture::new().await;
    let handler = Script::new(|_, _| async { Ok(Vec::new()) });
    for round in 0..40 {
        let worker = fixture.start_on(fixture.another_bus("stopping").await, quick(), &handler);
        // Far less than the ack wait, for what the worker of the last round left.
        eventually(Duration::from_secs(5), || async { fixture.count(Stream::Files).await == 0 }).await;
        let publishing = async {
            for number in 0..10 {
                fixture.bus.try_publish(&fixture.batch(10 * round + number)).await.unwrap();
            }
        };
        let stopping = async {
            tokio::time::sleep(Duration::from_micros(u64::from(round) * 200)).await;
            worker.stop().await;
        };
        tokio::join!(publishing, stopping);
    }
}
