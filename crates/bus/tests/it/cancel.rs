use caffeine_bus::Failure;
use caffeine_contract::Stream;
use caffeine_testkit::eventually;

use crate::fixture::{Fixture, SOON, Script, batch, output, quick};

#[tokio::test]
async fn cancelled_runs_are_dropped_wherever_they_are() {
    let fixture = Fixture::new().await;
    let mut other = fixture.scope.clone();
    other.run = caffeine_model::RunId::generate();
    other.repository = caffeine_model::RepositoryId::generate();
    let cancelled_run = fixture.scope.run;
    let handler = Script::new(move |seen, _| async move {
        if seen.scope.run == cancelled_run {
            seen.cancelled.cancelled().await;
            return Err(Failure::retry("interrupted"));
        }
        Ok(vec![output(&seen.scope, seen.batch)])
    });
    fixture.publish_batches(5).await;
    let worker = fixture.start(quick(), &handler);
    let slots = quick().slots;
    eventually(SOON, || async { handler.calls().len() == slots }).await;
    fixture.bus.try_publish(&batch(&other, 0)).await.unwrap();
    fixture.bus.cancel_run(fixture.scope.workspace, cancelled_run).await.unwrap();
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;

    assert_eq!(handler.calls().len(), slots + 1, "those that waited never began");
    assert!(fixture.inbox.reasons.lock().unwrap().is_empty());
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    assert_eq!(fixture.count(Stream::Chunks).await, 1, "the other run went on");
}

#[tokio::test]
async fn a_pod_that_starts_later_learns_what_was_cancelled() {
    let fixture = Fixture::new().await;
    fixture.bus.cancel_run(fixture.scope.workspace, fixture.scope.run).await.unwrap();
    fixture.publish_batches(3).await;
    let handler = Script::new(|seen, _| async move {
        seen.cancelled.cancelled().await;
        Err(Failure::Cancelled)
    });
    let worker = fixture.start_on(fixture.another_bus("late").await, quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
}
