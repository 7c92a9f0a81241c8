//! Rows 1 to 3: processes that die, freeze and stop.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caffeine_contract::table::MESSAGES;
use caffeine_e2e::signal;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{DEADLINE, GRACE, World, until};

/// The consumers' ack wait in the test profile.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// A message whose reader has died comes again within an ack wait and a second, if somebody has a free slot then, and its
/// reader is heard of within a third of an ack wait. What is more is for a machine that does other work; `make chaos`
/// prints the time itself.
const AGAIN_WITHIN: Duration = Duration::from_secs(2 + 1 + 1 + 3);
/// Rows of a gateway that has died belong to it this long; then the other one publishes them.
const OUTBOX_LEASE: Duration = Duration::from_secs(20);

const UNDELETED: &str = "SELECT count(*) FROM outbox WHERE run_id = ANY($1)";

/// Points of messages that every run comes to: reader, message, and where. The relay is the gateway's, and reads its rows.
const POINTS: &[(&str, &str, &[&str])] = &[
    ("relay", "clone.requested", &["after_publish"]),
    ("relay", "document.requested", &["after_publish"]),
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

fn reader(fault: &str) -> &str {
    fault.split(':').next().unwrap_or_default()
}

/// Whose process a fault is for.
fn service(fault: &str) -> &str {
    match reader(fault) {
        "relay" => "gateway",
        name => name,
    }
}

/// Row 1: two processes are killed, each at a named point of some message. What they were at comes again in time.
pub(crate) async fn dies(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let faults = [anywhere(rng, "kill"), anywhere(rng, "kill")];
    let markers = faults.each_ref().map(|fault| world.arm(fault));
    let began = Instant::now();
    let runs = world.submit().await;
    let ended = world.all_final(&runs, DEADLINE).await;
    let seconds = began.elapsed().as_secs_f64();
    let relayed = faults.iter().any(|fault| reader(fault) == "relay");
    let empty = until(OUTBOX_LEASE * 2, async || world.number(UNDELETED, &runs).await == 0).await;
    let mut verdict = world.verdict_after(2, &runs).await;
    verdict.require(empty || !ended, || "rows of the outbox are never deleted".to_owned());
    for (fault, marker) in faults.iter().zip(&markers) {
        verdict.require(World::struck(marker).is_some(), || format!("{fault} was never reached"));
        let point = fault.split(':').nth(2).unwrap_or_default();
        let who = if reader(fault) == "relay" { "gateway killed in the relay" } else { "worker killed" };
        report.injected(format!("{who} ({point})"));
    }
    // With both pods of a service dead nobody is there to take a message until one has started.
    if service(&faults[0]) != service(&faults[1]) {
        let killed = faults.iter().zip(&markers).filter(|(fault, _)| reader(fault) != "relay");
        for (fault, marker) in killed {
            comes_again(world, fault, marker, report, &mut verdict);
        }
    }
    let what = if relayed {
        "seconds until everything was done after two kills, one of a relay"
    } else {
        "seconds until everything was done after two kills"
    };
    report.worst(what, seconds);
    verdict
}

/// What the killed process had of the fault's stream came again in time.
fn comes_again(world: &World, fault: &str, marker: &Path, report: &mut Report, verdict: &mut Verdict) {
    let Some(killed) = std::fs::metadata(marker).ok().and_then(|file| file.modified().ok()) else { return };
    let message = fault.split([':', '#']).nth(1).unwrap_or_default();
    let row = MESSAGES.iter().find(|row| row.name == message).expect("POINTS name messages of the table");
    let again = world.watch.first_silent_redelivery(row.stream.spec().name, killed);
    match again.and_then(|at| at.duration_since(killed).ok()) {
        Some(after) => {
            report.worst("seconds from a kill until somebody worked on its message again", after.as_secs_f64());
            verdict.require(after <= AGAIN_WITHIN, || format!("{fault}: it came again {after:?} after the kill"));
        }
        None => verdict.require(false, || format!("{fault}: it did not come again")),
    }
}

/// Row 2: a process is frozen in the middle of a message for one and a half ack waits. The other pod takes over; the
/// frozen one says nothing about the message when it wakes.
pub(crate) async fn freezes(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let fault = anywhere(rng, "stop");
    let marker = world.arm(&fault);
    // A frozen gateway may be the one that is asked for runs.
    let thawing = tokio::spawn(thaw(marker.clone()));
    let runs = world.submit().await;
    let struck = world.wait_struck(&marker, &runs).await;
    if struck {
        thawing.await.expect("it ends");
        report.injected(if reader(&fault) == "relay" { "gateway frozen in the relay" } else { "worker frozen" });
    } else {
        thawing.abort();
    }
    let mut verdict = world.verdict(&runs).await;
    verdict.require(struck, || format!("{fault} was never reached"));
    let stale = world.watch.stale();
    verdict.require(stale.is_empty(), || format!("{fault}: settled what somebody else had: {stale:?}"));
    verdict
}

/// Lets a process go on that has been frozen for long enough.
async fn thaw(marker: PathBuf) {
    let pid = loop {
        if let Some(pid) = World::struck(&marker) {
            break pid;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    tokio::time::sleep(ACK_WAIT * 3 / 2).await;
    signal(pid, "CONT");
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
