//! What the chunker does with each message.
//!
//! The work is in methods that take a [`Delivery`] and say what to publish; the bus' own types are met at the thin
//! adapters in `adapters.rs` only, so that tests call the same methods.

mod adapters;
mod batch;
mod link;
mod listed;

use std::num::NonZero;

use caffeine_bus::Outgoing;
use caffeine_contract::Scope;
use caffeine_model::WorkId;
use caffeine_store::Store;
use caffeine_store::fan_in::{FanIn, WorkOf};
use tokio_util::sync::CancellationToken;

use crate::analyse::{AnalyseFile, Analysers};
use crate::config::ChunkerConfig;
use crate::metrics::Metrics;

/// What a handler knows of its delivery.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Whose run.
    pub scope: &'a Scope,
    /// Which work.
    pub work: WorkId,
    /// What tells it apart from its siblings in the run.
    pub key: &'a str,
    /// Looked at between files.
    pub cancelled: &'a CancellationToken,
}

impl Delivery<'_> {
    fn work_of(&self) -> WorkOf {
        WorkOf {
            work: self.work,
            workspace: self.scope.workspace,
            repository: self.scope.repository,
            run: self.scope.run,
        }
    }
}

/// The end of a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    /// What to publish.
    pub outputs: Vec<Outgoing>,
    /// How far the run is, if that is new.
    pub progress: Option<Progress>,
}

/// Batches of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many are in.
    pub done: u32,
    /// How many there are; 0 while unknown.
    pub total: u32,
}

impl Progress {
    fn of(fan_in: &FanIn) -> Self {
        Self { done: fan_in.arrived, total: fan_in.batches.unwrap_or_default() }
    }
}

/// Handles the chunker's messages.
pub struct Chunker {
    store: Store,
    max_link_rows: u32,
    analysers: Analysers,
    metrics: Metrics,
}

impl Chunker {
    /// A chunker that analyses with this function.
    #[must_use]
    pub fn new(store: Store, config: &ChunkerConfig, analyse: AnalyseFile) -> Self {
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        };
        Self {
            store,
            max_link_rows: config.max_link_rows,
            analysers: Analysers::new(threads, analyse),
            metrics: Metrics::new(),
        }
    }
}

/// An error with everything that led to it, in one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
