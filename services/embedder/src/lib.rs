//! The embedder: from chunked files to what search looks in.
//!
//! # Consumes
//! - `chunks.batch`: files of one run with their text once and the ranges of their chunks. Each chunk gets a vector
//!   and its words for the lexical index.
//! - `chunks.listed`: how many batches the run has, before, between or after them.
//!
//! # Produces
//! - `document.ready` (indexed) and the transition *indexed*, by whoever sees the last batch come in; with a failure
//!   if the clone failed.
//!
//! # Tables written
//! `embedded_versions` and `chunks`; `embed_runs` and `chunk_batches`; `embed_inbox`.
//!
//! # Failure behaviour
//! - A batch that could not be analysed is in, with its reason: the run goes on without its files.
//! - A batch that is not what it claims to be (sizes, ranges, paths) is rejected and counts the same.
//! - Work of another model or analyser is left to a pod of that version (`Worker::for_analyser`).
//! - Everything may be repeated at any point: rows are inserted once, outputs are computed again.
//!
//! # Invariants
//! - A chunk's rows depend on its file version, the analyser and the model, not on batch, order or pod.
//! - A file without chunks is embedded too: otherwise it would travel again with every commit.
//! - The model has as many dimensions as the schema; the service does not start otherwise.

mod config;
mod handlers;
mod index;
mod metrics;
mod outputs;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod service;
mod unpack;

pub use config::EmbedderConfig;
pub use handlers::{Delivery, Handled, Indexer, Progress};
pub use service::EmbedderService;
