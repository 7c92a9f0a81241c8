//! The rows of the matrix.

mod broker;
mod cancel;
mod clock;
mod database;
mod fairness;
mod identity;
mod links;
mod messages;
mod poison;
mod upgrade;
mod workers;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::world::{Setup, World};

/// A row.
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) title: &'static str,
    pub(crate) seeds: u32,
    pub(crate) setup: fn() -> Setup,
}

const fn row(number: u32, title: &'static str, seeds: u32) -> Row {
    Row { number, title, seeds, setup: Setup::default }
}

/// All of them.
pub(crate) const ROWS: &[Row] = &[
    row(1, "worker dies mid-message", 20),
    row(2, "worker frozen past the ack wait", 20),
    row(3, "SIGTERM under load", 20),
    row(4, "broker restarted gracefully", 20),
    row(5, "broker killed", 20),
    row(6, "broker away for seconds", 1),
    row(7, "broker wiped", 1),
    row(8, "database restarted, stopped at once", 20),
    row(9, "database away, busy, conflicting", 1),
    row(11, "every message twice, shuffled", 20),
    row(12, "dedup window passed, everything replayed", 20),
    row(13, "full streams", 20),
    Row { setup: poison::setup, ..row(14, "poison: garbage, panic, abort, out of memory", 20) },
    row(16, "cancelled at every stage", 20),
    row(18, "fairness", 1),
    row(19, "rolling upgrade", 1),
    row(22, "wrong user", 1),
    Row { setup: clock::setup, ..row(20, "clock jumps", 1) },
    Row { setup: links::setup, ..row(10, "link cut, held, slow, deaf", 20) },
];

/// The numbers of all rows, in the order in which they share systems.
pub(crate) fn all() -> Vec<u32> {
    ROWS.iter().map(|row| row.number).collect()
}

/// A row by its number.
pub(crate) fn row_of(number: u32) -> &'static Row {
    let found = ROWS.iter().find(|row| row.number == number);
    found.unwrap_or_else(|| panic!("there is no row {number}; there are {:?}", all()))
}

/// Disturbs once and asks the oracle.
pub(crate) async fn strike(number: u32, world: &mut World, rng: &mut Rng, report: &mut Report) -> Verdict {
    match number {
        1 => workers::dies(world, rng, report).await,
        2 => workers::freezes(world, rng, report).await,
        3 => workers::is_told_to_stop(world, rng, report).await,
        4 => broker::restarts(world, rng, report).await,
        5 => broker::is_killed(world, rng, report).await,
        6 => broker::is_away(world, rng, report).await,
        7 => broker::is_wiped(world, rng, report).await,
        8 => database::restarts(world, rng, report).await,
        9 => database::presses_back(world, rng, report).await,
        10 => links::break_down(world, rng, report).await,
        11 => messages::come_twice(world, rng, report).await,
        12 => messages::are_replayed(world, rng, report).await,
        13 => messages::find_no_room(world, rng, report).await,
        14 => poison::strikes(world, rng, report).await,
        16 => cancel::at_any_stage(world, rng, report).await,
        18 => fairness::beside_a_big_one(world, rng, report).await,
        19 => upgrade::rolls(world, report).await,
        22 => identity::is_somebody_else(world, report).await,
        20 => clock::jumps(world, rng, report).await,
        _ => panic!("row {number} has no function"),
    }
}
