//! A worker that is killed at each of the four points, in a process of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use caffeine_bus::{NoInbox, Worker};
use caffeine_contract::{Consumer, Stream, v1};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, Script, connect, quick};

const ACK_WAIT: Duration = Duration::from_secs(1);
const URL: &str = "BUS_TEST_URL";
const PREFIX: &str = "BUS_TEST_PREFIX";

#[tokio::test]
async fn killed_at_each_point_and_nothing_is_lost_or_doubled() {
    // The process to kill is this program again, running this one test, with the broker in its environment.
    if let (Ok(url), Ok(prefix)) = (std::env::var(URL), std::env::var(PREFIX)) {
        return work(&url, &prefix).await;
    }
    for (point, outputs_before) in [("after_pull", 0), ("after_commit", 0), ("after_publish", 1), ("before_ack", 1)] {
        let fixture = Fixture::new().await;
        fixture.set_ack_wait(Consumer::Chunker, ACK_WAIT).await;
        fixture.publish_batches(1).await;
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join("killed");
        let fault = format!("chunker:files.batch:{point}:{}", marker.display());
        let run_child = || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "fault::killed_at_each_point_and_nothing_is_lost_or_doubled"])
                .env("CAFFEINE_FAULT", &fault)
                .env(URL, fixture.broker.url())
                .env(PREFIX, fixture.broker.prefix())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut child = run_child();
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{point}: {status}");
        assert!(marker.exists());
        assert_eq!(fixture.count(Stream::Files).await, 1, "{point}");
        assert_eq!(fixture.count(Stream::Chunks).await, outputs_before, "{point}");

        // The same command again: the marker lets it live.
        let mut child = run_child();
        fixture.wait_for(Stream::Files, 0).await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(fixture.count(Stream::Chunks).await, 1, "{point}");
        assert_eq!(fixture.count(Stream::Dead).await, 0, "{point}");
    }
}

/// What a process that is to be killed does: the chunker's work, until the end.
async fn work(url: &str, prefix: &str) {
    let mut spec = quick();
    spec.ack_wait = ACK_WAIT;
    Worker::new(connect(url, prefix, "child").await, Consumer::Chunker, Arc::new(NoInbox))
        .with_spec(spec)
        .handle::<v1::FilesBatch, _>(Script::simple())
        .run(CancellationToken::new())
        .await
        .unwrap();
}
