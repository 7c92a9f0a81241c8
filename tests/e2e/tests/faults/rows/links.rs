//! Row 10: the links to broker and database break in every way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{Setup, World, until};

/// Longer than three pings of the test profile.
const LONGER_THAN_PINGS: Duration = Duration::from_millis(4_500);
/// A dead link is noticed when the third ping in a row, one a second, finds no answer to those before. What is
/// more is for a machine that does other work; `make chaos` prints the time itself.
const NOTICED_WITHIN: Duration = Duration::from_secs(3 + 2);

pub(crate) fn setup() -> Setup {
    Setup { proxied: true, ..Setup::default() }
}

/// Row 10.
pub(crate) async fn break_down(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let kind = rng.turn(&[0, 1, 2, 3, 4, 5]);
    let (nats, _) = world.proxies.as_ref().expect("this row is proxied");
    if kind == 5 {
        nats.slow(Duration::from_millis(300));
        report.injected("300 ms to the broker and 300 ms back");
    }
    let mut verdict = Verdict::default();
    let runs = world.submit().await;
    tokio::time::sleep(rng.millis(0, 1_200)).await;
    let (nats, postgres) = world.proxies.as_ref().expect("this row is proxied");
    match kind {
        0 => {
            report.injected("links to the broker reset and refused");
            nats.refuse(true);
            tokio::time::sleep(rng.millis(100, 2_000)).await;
            nats.refuse(false);
        }
        1 => {
            report.injected("links to the database reset");
            postgres.cut();
        }
        2 => {
            report.injected("links to the broker held, then reset");
            let before = losses(world);
            nats.hold(true);
            let held = Instant::now();
            is_noticed(world, before, report, &mut verdict).await;
            tokio::time::sleep(LONGER_THAN_PINGS.saturating_sub(held.elapsed())).await;
            nats.cut();
            nats.hold(false);
        }
        3 => {
            report.injected("links from the broker deaf");
            let before = losses(world);
            nats.deafen();
            is_noticed(world, before, report, &mut verdict).await;
        }
        4 => {
            report.injected("links to the database held, then released");
            postgres.hold(true);
            tokio::time::sleep(rng.millis(1_000, 4_000)).await;
            postgres.hold(false);
        }
        _ => {}
    }
    let verdict = world.verdict_after(1, &runs).await.and(verdict);
    let (nats, _) = world.proxies.as_ref().expect("this row is proxied");
    nats.slow(Duration::ZERO);
    verdict
}

/// Every process says in time that it has lost the broker.
async fn is_noticed(world: &World, before: BTreeMap<PathBuf, usize>, report: &mut Report, verdict: &mut Verdict) {
    let dead = Instant::now();
    let deaf = || losses(world).into_iter().filter(|(log, count)| *count <= before[log]).map(|(log, _)| log);
    until(NOTICED_WITHIN, async || deaf().next().is_none()).await;
    let after = dead.elapsed();
    let left: Vec<PathBuf> = deaf().collect();
    report.worst("seconds until every process had noticed a dead link to the broker", after.as_secs_f64());
    verdict.require(left.is_empty(), || format!("after {after:?} a dead link is not noticed in {left:?}"));
}

/// How often each process has said that its connection to the broker is lost.
fn losses(world: &World) -> BTreeMap<PathBuf, usize> {
    let logs = world.stack.pods().map(|(_, process)| process.log().to_owned());
    let count = |log: &PathBuf| {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.lines().filter(|line| line.contains(r#""kind":"disconnected""#)).count()
    };
    logs.map(|log| (log.clone(), count(&log))).collect()
}
