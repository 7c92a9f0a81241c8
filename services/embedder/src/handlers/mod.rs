//! What the embedder does with each message.
//!
//! The work is in methods that take a [`Delivery`] and say what to publish; the bus' own types are met at the thin
//! adapters in `adapters.rs` only, so that tests call the same methods.

mod adapters;
mod batch;
mod listed;

use std::sync::Arc;

use caffeine_bus::Outgoing;
use caffeine_contract::Scope;
use caffeine_embedding::Embedder;
use caffeine_model::WorkId;
use caffeine_store::Store;
use caffeine_store::embedder::{IndexState, IndexVersion};
use caffeine_store::fan_in::WorkOf;
use tokio_util::sync::CancellationToken;

use crate::config::EmbedderConfig;
use crate::metrics::Metrics;
use crate::outputs;

/// What a handler knows of its delivery.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Whose run.
    pub scope: &'a Scope,
    /// Which work.
    pub work: WorkId,
    /// What tells it apart from its siblings in the run.
    pub key: &'a str,
    /// Looked at between calls of the model.
    pub cancelled: &'a CancellationToken,
}

impl<'a> Delivery<'a> {
    fn work_of(&self) -> WorkOf {
        WorkOf {
            work: self.work,
            workspace: self.scope.workspace,
            repository: self.scope.repository,
            run: self.scope.run,
        }
    }

    fn version(&self) -> IndexVersion<'a> {
        IndexVersion { analyser: &self.scope.analyser, model: &self.scope.embedding_model }
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

impl Handled {
    /// What the state of the run asks for.
    fn of(scope: &Scope, state: &IndexState) -> Self {
        let progress = Progress { done: state.fan_in.arrived, total: state.fan_in.batches.unwrap_or_default() };
        Self { outputs: outputs::of_state(scope, state), progress: Some(progress) }
    }
}

/// Batches of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many are in.
    pub done: u32,
    /// How many there are; 0 while unknown.
    pub total: u32,
}

/// Handles the embedder's messages.
pub struct Indexer {
    store: Store,
    embedder: Arc<dyn Embedder>,
    chunks_per_call: usize,
    metrics: Metrics,
}

impl Indexer {
    /// An indexer with this model.
    #[must_use]
    pub fn new(store: Store, config: &EmbedderConfig, embedder: Arc<dyn Embedder>) -> Self {
        Self { store, embedder, chunks_per_call: config.chunks_per_call, metrics: Metrics::new() }
    }

    /// The model whose vectors it makes.
    pub(crate) fn model(&self) -> &str {
        self.embedder.model()
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
