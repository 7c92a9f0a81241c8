//! Row 10: the links to broker and database break in every way.

use std::time::Duration;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{Setup, World};

/// Longer than three pings of the test profile.
const LONGER_THAN_PINGS: Duration = Duration::from_millis(4_500);

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
            nats.hold(true);
            tokio::time::sleep(LONGER_THAN_PINGS).await;
            nats.cut();
            nats.hold(false);
        }
        3 => {
            report.injected("links from the broker deaf");
            nats.deafen();
        }
        4 => {
            report.injected("links to the database held, then released");
            postgres.hold(true);
            tokio::time::sleep(rng.millis(1_000, 4_000)).await;
            postgres.hold(false);
        }
        _ => {}
    }
    let verdict = world.verdict_after(1, &runs).await;
    let (nats, _) = world.proxies.as_ref().expect("this row is proxied");
    nats.slow(Duration::ZERO);
    verdict
}
