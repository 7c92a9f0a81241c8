//! Rows 1 to 3: processes that die, freeze and stop.

use std::time::{Duration, Instant};

use caffeine_e2e::signal;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{GRACE, World, until};

/// The consumers' ack wait in the test profile.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// Points of messages that every run comes to: reader, message, and where.
const POINTS: &[(&str, &str, &[&str])] = &[
    ("gateway", "state", &["after_pull", "after_commit", "before_ack"]),
    ("cloner", "clone.requested", &["after_pull", "after_commit", "after_publish", "before_ack"]),
    ("chunker", "files.batch", &["after_pull", "after_commit", "after_publish", "before_ack"]),
    ("chunker", "files.batch#2", &["after_pull", "after_commit", "after_publish", "before_ack"]),
    ("chunker", "files.listed", &["after_pull", "after_commit", "before_ack"]),
    ("chunker", "link.requested", &["after_pull", "after_commit", "after_publish", "before_ack"]),
    ("embedder", "chunks.batch", &["after_pull", "after_commit", "before_ack"]),
    ("embedder", "chunks.batch#3", &["after_pull", "after_commit", "before_ack"]),
    ("embedder", "chunks.listed", &["after_pull", "after_commit", "before_ack"]),
    ("doc-writer", "document.requested", &["after_pull", "after_commit", "before_ack"]),
    ("doc-writer", "document.ready", &["after_pull", "after_commit", "before_ack"]),
    ("doc-writer", "page.requested", &["after_pull", "after_commit", "before_ack"]),
];

/// A fault at a random point, without its marker.
fn anywhere(rng: &mut Rng, action: &str) -> String {
    let (reader, message, points) = rng.pick(POINTS);
    let point = rng.pick(points);
    format!("{reader}:{message}:{point}={action}")
}

/// Row 1: two processes are killed, each at a named point of some message.
pub(crate) async fn dies(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let faults = [anywhere(rng, "kill"), anywhere(rng, "kill")];
    let markers = faults.each_ref().map(|fault| world.arm(fault));
    let began = Instant::now();
    let runs = world.submit().await;
    let mut verdict = world.verdict_after(2, &runs).await;
    for (fault, marker) in faults.iter().zip(markers) {
        verdict.require(World::struck(&marker).is_some(), || format!("{fault} was never reached"));
        report.injected(format!("worker killed ({})", fault.split(':').nth(2).unwrap_or_default()));
    }
    report.worst("seconds until everything was done after two kills", began.elapsed().as_secs_f64());
    verdict
}

/// Row 2: a process is frozen in the middle of a message for one and a half ack waits. The other pod takes over; the
/// frozen one says nothing about the message when it wakes.
pub(crate) async fn freezes(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let fault = anywhere(rng, "stop");
    let marker = world.arm(&fault);
    let runs = world.submit().await;
    let struck = world.wait_struck(&marker, &runs).await;
    if let Some(pid) = World::struck(&marker) {
        tokio::time::sleep(ACK_WAIT * 3 / 2).await;
        signal(pid, "CONT");
        report.injected("worker frozen");
    }
    let mut verdict = world.verdict(&runs).await;
    verdict.require(struck, || format!("{fault} was never reached"));
    let stale = world.watch.stale();
    verdict.require(stale.is_empty(), || format!("{fault}: settled what somebody else had: {stale:?}"));
    verdict
}

/// Row 3: two processes are asked to stop under load. They finish what they have, and nobody notices but the cloner,
/// whose work takes too long to wait for.
pub(crate) async fn is_told_to_stop(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    let mut verdict = Verdict::default();
    for _ in 0..2 {
        tokio::time::sleep(rng.millis(50, 900)).await;
        let pods: Vec<_> = world.stack.pods().collect();
        let (name, process) = pods[rng.below(pods.len())];
        let (before, asked) = (process.starts(), Instant::now());
        process.signal("TERM");
        report.injected(format!("SIGTERM to a {name}"));
        let stopped = until(GRACE, async || process.starts() > before).await;
        let took = asked.elapsed();
        verdict.require(stopped, || format!("{name} had not ended {took:?} after SIGTERM"));
        report.worst("seconds from SIGTERM to the next start", took.as_secs_f64());
    }
    let found = world.verdict(&runs).await;
    let silent = world.watch.silent_redeliveries(|stream| stream != "CLONE");
    report.injected_times("  deliveries handed back by stopping processes (not faults)", world.watch.handed_back());
    verdict.require(silent == 0, || format!("{silent} messages came again after an ack wait"));
    found.and(verdict)
}
