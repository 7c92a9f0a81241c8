//! Runs rows, seed after seed, on one system as long as everything holds.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt as _;

use crate::faults::report::{Report, Verdict};
use crate::faults::rng::Rng;
use crate::faults::rows::{self, Row};
use crate::faults::world::{Setup, World, require_programs};

/// What to run.
#[derive(Debug)]
pub(crate) struct Matrix {
    /// Numbers of rows.
    pub(crate) rows: Vec<u32>,
    /// How many seeds; each row's own number if not given.
    pub(crate) seeds: Option<u32>,
    /// The first seed.
    pub(crate) first: u32,
}

impl Matrix {
    /// Runs it and prints a line for each row.
    pub(crate) async fn run(&self) -> Report {
        require_programs();
        let mut report = Report::default();
        let mut world: Option<World> = None;
        // All before any is run: a number that there is not would end the others' report too.
        let rows: Vec<_> = self.rows.iter().map(|number| rows::row_of(*number)).collect();
        for row in rows {
            let seeds = self.seeds.map_or(row.seeds, |seeds| seeds.min(row.seeds.max(1)));
            let began = Instant::now();
            let mut failed = 0;
            for seed in self.first..self.first + seeds {
                let setup = (row.setup)();
                if world.as_ref().is_none_or(|world| world.setup != setup) {
                    drop(world.take());
                    world = start(&setup, row, seed, &mut report).await;
                }
                let holds = match &mut world {
                    Some(world) => one(row, seed, world, &mut report).await,
                    None => false,
                };
                if !holds {
                    failed += 1;
                    // What is broken must not break the next seed.
                    drop(world.take());
                }
            }
            let seconds = began.elapsed().as_secs_f64();
            let number = row.number;
            println!("row {number:>2}  {seeds:>2} seeds  {failed} failed  {seconds:>6.1} s  {}", row.title);
        }
        report
    }
}

/// An undisturbed system; `None` if not even that works.
async fn start(setup: &Setup, row: &Row, seed: u32, report: &mut Report) -> Option<World> {
    match AssertUnwindSafe(World::start(setup)).catch_unwind().await {
        Ok(world) => Some(world),
        Err(panic) => {
            let mut verdict = Verdict::default();
            verdict.require(false, || format!("the system did not start: {}", words(panic.as_ref())));
            report.add(&name(row, seed), verdict);
            None
        }
    }
}

async fn one(row: &Row, seed: u32, world: &mut World, report: &mut Report) -> bool {
    let (name, began) = (name(row, seed), Instant::now());
    let mut rng = Rng::new(row.number, seed);
    let struck = rows::strike(row.number, world, &mut rng, report);
    let verdict = match AssertUnwindSafe(struck).catch_unwind().await {
        Ok(verdict) => verdict,
        Err(panic) => {
            let mut verdict = Verdict::default();
            verdict.require(false, || format!("the test could not go on: {}", words(panic.as_ref())));
            verdict
        }
    };
    let holds = verdict.holds();
    if !holds {
        for note in &verdict.notes {
            println!("{name}: {note}");
        }
        println!("{name}: logs are kept in {}", world.stack.keep_logs(&name.replace(' ', "-")).display());
    }
    report.worst("seconds for one seed", began.elapsed().as_secs_f64());
    report.add(&name, verdict);
    holds
}

fn name(row: &Row, seed: u32) -> String {
    format!("row {} seed {seed}", row.number)
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
