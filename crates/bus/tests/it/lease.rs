use std::sync::Arc;
use std::time::Duration;

use caffeine_contract::{Consumer, Stream};
use caffeine_testkit::eventually;
use tokio::sync::Notify;

use crate::fixture::{Fixture, SOON, Script, connect, quick};

const ACK_WAIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_job_longer_than_the_ack_wait_stays_ours() {
    let fixture = Fixture::new().await;
    fixture.set_ack_wait(Consumer::Chunker, ACK_WAIT).await;
    fixture.publish_batches(1).await;
    let begun = Arc::new(Notify::new());
    let tell = Arc::clone(&begun);
    let handler = Script::new(move |_, _| {
        let tell = Arc::clone(&tell);
        async move {
            tell.notify_one();
            // Three ack waits of honest work.
            tokio::time::sleep(ACK_WAIT * 3).await;
            Ok(Vec::new())
        }
    });
    let mut spec = quick();
    spec.ack_wait = ACK_WAIT;
    let worker = fixture.start(spec, &handler);
    begun.notified().await;
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1);
}

/// A worker that is frozen for longer than the ack wait must not settle the message somebody else has by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lease_settles_nothing() {
    let fixture = Fixture::new().await;
    fixture.set_ack_wait(Consumer::Chunker, ACK_WAIT).await;
    fixture.publish_batches(1).await;
    let mut spec = quick();
    spec.ack_wait = ACK_WAIT;
    spec.slots = 1;

    // A runtime of one thread that its handler blocks: no heartbeat, no timer, like after SIGSTOP.
    let (frozen_began, thawed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell_began, tell_thawed) = (Arc::clone(&frozen_began), Arc::clone(&thawed));
    let (url, prefix) = (fixture.broker.url().to_owned(), fixture.broker.prefix().to_owned());
    let inbox = Arc::clone(&fixture.inbox);
    let frozen = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let handler = Script::new(move |_, _| {
                let tell_began = Arc::clone(&tell_began);
                async move {
                    tell_began.notify_one();
                    std::thread::sleep(ACK_WAIT * 3);
                    Ok(Vec::new())
                }
            });
            let bus = connect(&url, &prefix, "frozen").await;
            let shutdown = tokio_util::sync::CancellationToken::new();
            let worker = caffeine_bus::Worker::new(bus, Consumer::Chunker, inbox)
                .with_spec(spec)
                .handle::<caffeine_contract::v1::FilesBatch, _>(Arc::clone(&handler));
            let running = tokio::spawn(worker.run(shutdown.clone()));
            eventually(SOON, || async { handler.calls().len() == 1 }).await;
            // The job has ended when the worker has stopped.
            shutdown.cancel();
            running.await.unwrap().unwrap();
            tell_thawed.notify_one();
        });
    });
    frozen_began.notified().await;

    let release = Arc::new(Notify::new());
    let wait = Arc::clone(&release);
    let handler = Script::new(move |_, _| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            Ok(Vec::new())
        }
    });
    let worker = fixture.start(spec, &handler);
    eventually(SOON, || async { handler.calls().len() == 1 }).await;
    tokio::time::timeout(SOON, thawed.notified()).await.unwrap();
    assert_eq!(fixture.count(Stream::Files).await, 1, "the frozen worker acknowledged somebody else's delivery");
    release.notify_one();
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(handler.calls().len(), 1, "the frozen worker handed back somebody else's delivery");
    frozen.join().unwrap();
}
