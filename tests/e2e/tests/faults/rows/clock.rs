//! Row 20: the clock of a machine jumps.

use std::path::PathBuf;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{Setup, World};

/// What the workers read their clock from; one file per process of this program.
fn clock_file() -> PathBuf {
    std::env::temp_dir().join(format!("caffeine-chaos-clock-{}", std::process::id()))
}

pub(crate) fn setup() -> Setup {
    std::fs::write(clock_file(), "+0\n").expect("the clock's file can be written");
    Setup { clock: Some(clock_file()), ..Setup::default() }
}

/// Row 20: the first pods' wall clock jumps an hour ahead, then two back, under load. Leases count on the monotonic
/// clock and on the servers' time, so nothing happens.
pub(crate) async fn jumps(world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    let runs = world.submit().await;
    for jump in ["+3600", "-3600", "+0"] {
        tokio::time::sleep(rng.millis(300, 700)).await;
        std::fs::write(clock_file(), format!("{jump}\n")).expect("the clock's file can be written");
        report.injected("clock of every first pod jumped an hour or two");
    }
    let mut verdict = world.verdict(&runs).await;
    let again = world.watch.silent_redeliveries(|_| true);
    verdict.require(again == 0, || format!("{again} messages came again after an ack wait"));
    let stale = world.watch.stale();
    verdict.require(stale.is_empty(), || format!("{stale:?}"));
    verdict
}
