//! Work of other versions: for a pod of that version, or for nobody any more.

use std::sync::Arc;

use caffeine_bus::{Inbox, Worker};
use caffeine_contract::table::Timings;
use caffeine_contract::{Command, Consumer, Stream, headers, v1};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, Running, Script, quick};

/// Starts a worker that works for this analyser only.
fn start_for(fixture: &Fixture, analyser: &str, handler: &Arc<Script>) -> Running {
    let bus = fixture.bus.clone().with_timings(Timings::Test);
    let worker = Worker::new(bus, Consumer::Chunker, Arc::clone(&fixture.inbox) as Arc<dyn Inbox>)
        .with_spec(quick())
        .for_analyser(analyser)
        .handle::<v1::FilesBatch, _>(Arc::clone(handler));
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    Running { shutdown, task: tokio::spawn(async move { worker.run(stop).await.unwrap() }) }
}

#[tokio::test]
async fn work_finds_the_pod_of_its_version() {
    let fixture = Fixture::new().await;
    let (new, old) = (Script::simple(), Script::simple());
    let new_pod = start_for(&fixture, "another", &new);
    fixture.publish_batches(5).await;
    let old_pod = start_for(&fixture, &fixture.scope.analyser, &old);
    fixture.wait_for(Stream::Files, 0).await;
    new_pod.stop().await;
    old_pod.stop().await;
    assert_eq!((new.calls().len(), old.calls().len()), (0, 5));
    assert_eq!(fixture.count(Stream::State).await, 0, "the version is still there");
    assert!(fixture.inbox.reasons.lock().unwrap().is_empty(), "no attempt was counted");
}

#[tokio::test]
async fn when_nobody_is_left_for_a_version_the_gateway_is_told_once() {
    let fixture = Fixture::new().await;
    let handler = Script::simple();
    fixture.publish_batches(3).await;
    let worker = start_for(&fixture, "another", &handler);
    fixture.wait_for(Stream::State, 1).await;
    assert_eq!(fixture.count(Stream::Files).await, 3, "the work stays until the run is ended");
    let told = &fixture.contents(Stream::State).await[0];
    assert_eq!(told.header(headers::KEY), "version_gone");
    let (workspace, run) = (fixture.scope.workspace, fixture.scope.run);
    fixture.bus.command(&Command::CancelRun { workspace, run }).await.unwrap();
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert!(handler.calls().is_empty());
    assert_eq!((fixture.count(Stream::State).await, fixture.count(Stream::Dead).await), (1, 0));
}
