use std::sync::atomic::Ordering;

use caffeine_bus::{Deletion, Failure, Outgoing};
use caffeine_contract::{Command, Scope, Stream, v1};
use caffeine_model::Lane;
use caffeine_testkit::eventually;

use crate::fixture::{Fixture, SOON, Script, batch, output, quick, scope};

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
    let (workspace, run) = (fixture.scope.workspace, cancelled_run);
    fixture.bus.command(&Command::CancelRun { workspace, run }).await.unwrap();
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
    let (workspace, run) = (fixture.scope.workspace, fixture.scope.run);
    fixture.bus.command(&Command::CancelRun { workspace, run }).await.unwrap();
    fixture.publish_batches(3).await;
    let handler = Script::new(|seen, _| async move {
        seen.cancelled.cancelled().await;
        Err(Failure::Cancelled)
    });
    let worker = fixture.start_on(fixture.another_bus("late").await, quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
}

#[tokio::test]
async fn work_of_a_run_that_is_gone_is_dropped() {
    let fixture = Fixture::new().await;
    fixture.inbox.gone.store(true, Ordering::SeqCst);
    // The first delivery fails, which cannot be written down.
    let handler = Script::new(|_, _| async { Err(Failure::retry("no such run")) });
    fixture.publish_batches(2).await;
    let worker = fixture.start(quick(), &handler);
    fixture.wait_for(Stream::Files, 0).await;
    // A later delivery is not even begun.
    let handled = handler.calls().len();
    assert_eq!(handled, 2);
    worker.stop().await;
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn a_deleted_repository_is_dropped_and_purged() {
    let fixture = Fixture::new().await;
    let deleted = fixture.scope.clone();
    let other = scope();
    let bulk = deleted.in_lane(Lane::Bulk);
    let running = {
        let repository = deleted.repository;
        Script::new(move |seen, _| async move {
            if seen.scope.repository == repository {
                seen.cancelled.cancelled().await;
                return Err(Failure::retry("interrupted"));
            }
            Ok(vec![output(&seen.scope, seen.batch)])
        })
    };
    // Work in three streams and two lanes, a transition, an event and a dead letter; and the same of another.
    for (scope, number) in [(&deleted, 7), (&bulk, 9), (&other, 7)] {
        fixture.bus.try_publish(&batch(scope, number)).await.unwrap();
    }
    let started = |scope: &Scope| {
        let transition = v1::run_transition::Transition::CloneStarted(v1::CloneStarted {});
        Outgoing::new(scope, v1::RunTransition { transition: Some(transition), ..v1::RunTransition::default() })
    };
    for scope in [&deleted, &other] {
        fixture.bus.try_publish(&output(scope, 8)).await.unwrap();
        fixture.bus.try_publish(&Outgoing::new(scope, v1::CloneRequested::default())).await.unwrap();
        fixture.bus.try_publish(&started(scope)).await.unwrap();
        let event = v1::Event { scope: Some(scope.to_wire()), event: None };
        fixture.bus.emit("progress", event);
        let dead = fixture.subjects().dead("chunker", &scope.workspace.to_string(), &scope.repository.to_string());
        fixture.publish_raw(dead, async_nats::HeaderMap::new(), b"files").await;
    }
    fixture.wait_for(Stream::Events, 2).await;
    let streams = [Stream::Clone, Stream::Chunks, Stream::State, Stream::Events, Stream::Dead];

    // A job runs; the housekeeper and the cloner listen, one of them from later on.
    let worker = fixture.start(quick(), &running);
    eventually(SOON, || async { running.calls().len() == 3 && fixture.count(Stream::Chunks).await == 3 }).await;
    let housekeeper = fixture.another_bus("housekeeper").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let purger = tokio::spawn({
        let (housekeeper, stop) = (housekeeper.clone(), stop.clone());
        async move { housekeeper.purge_deleted(stop).await }
    });
    let (workspace, repository, runs) = (deleted.workspace, deleted.repository, vec![deleted.run]);
    let command = Command::DeleteRepository { workspace, repository, runs: runs.clone() };
    fixture.bus.command(&command).await.unwrap();
    let expected = Deletion { workspace, repository, runs };
    let mut late = fixture.another_bus("late").await.deletions().await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, late.next()).await.unwrap(), expected);

    // The job stops and its message is acknowledged although it was purged; the waiting one goes as well.
    fixture.wait_for(Stream::Files, 0).await;
    for stream in streams {
        let others = if stream == Stream::Chunks { 2 } else { 1 };
        fixture.wait_for(stream, others).await;
    }
    fixture.bus.emit("progress", v1::Event { scope: Some(deleted.to_wire()), event: None });
    fixture.bus.emit("progress", v1::Event { scope: Some(other.to_wire()), event: None });
    fixture.wait_for(Stream::Events, 2).await;
    assert_eq!(housekeeper.purge_repository(&expected).await.unwrap(), 0, "nothing is left, and nothing came after");
    assert!(fixture.inbox.reasons.lock().unwrap().is_empty());
    worker.stop().await;
    stop.cancel();
    purger.await.unwrap().unwrap();
}
