//! The fault matrix: `make chaos`, `make chaos ROWS=1,4 SEEDS=3`.
//!
//! Every seed of a row disturbs a running system (two pods of each service, servers of its own) while three fresh
//! repositories are processed, and then asks the oracle: every run ended, its rows are those of an undisturbed run,
//! nothing is left on the broker, nothing is a dead letter that was no poison.

#[path = "faults/mod.rs"]
mod faults;

use std::process::ExitCode;

use faults::{Matrix, rows};

/// Which rows and how many seeds, from the environment.
fn chosen() -> Matrix {
    let list = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let rows = list("CHAOS_ROWS").map_or_else(rows::all, |text| {
        text.split(',').map(|row| row.trim().parse().expect("CHAOS_ROWS is a list of numbers")).collect()
    });
    let seeds = list("CHAOS_SEEDS").map(|text| text.parse().expect("CHAOS_SEEDS is a number"));
    let first = list("CHAOS_FIRST_SEED").map_or(1, |text| text.parse().expect("CHAOS_FIRST_SEED is a number"));
    Matrix { rows, seeds, first }
}

#[tokio::main]
async fn main() -> ExitCode {
    let report = chosen().run().await;
    println!("{report}");
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
