//! The chunker: from batches of files to analyses, and from the analyses of a snapshot to its graph.
//!
//! # Consumes
//! - `files.batch`: files of one run. Each is analysed (text, language, chunks, symbols, imports, references).
//! - `files.listed`: how many batches the run has, before, between or after them.
//! - `link.requested`: every batch is in; resolve what the files of the snapshot say about each other.
//!
//! # Produces
//! - `chunks.batch`, exactly one for each `files.batch` and under the same number, failed ones too.
//! - `link.requested`, by whoever sees the last batch come in.
//! - `document.ready` (analysed) and the transition *analysed*, after linking; with a failure if the clone or the
//!   linking failed.
//!
//! # Tables written
//! `file_versions` with `symbols`, `imports` and `refs`; `chunk_runs` and `file_batches`; `edges`, `modules`,
//! `module_files` and `external_dependencies`; `chunk_inbox`.
//!
//! # Failure behaviour
//! - A file that breaks the analyser is stored with the reason `analysis_failed`; its batch goes on.
//! - A batch that is not what it claims to be (sizes, identifiers, paths) is rejected: its row says why, and the
//!   embedder gets a failed batch under its number, so that every fan-in ends.
//! - Work of another analyser version is left to a pod of that version (`Worker::for_analyser`).
//! - Everything may be repeated at any point: rows are inserted once, outputs are computed again.
//!
//! # Invariants
//! - The rows of a file version depend on its path and bytes, not on batch, order, pod or number of threads.
//! - Input is hostile. Nothing is decompressed beyond the size a batch may have.

mod analyse;
mod config;
mod handlers;
mod metrics;
mod outputs;
mod pack;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod service;
mod to_link;
mod to_rows;
mod unpack;

pub use analyse::AnalyseFile;
pub use config::ChunkerConfig;
pub use handlers::{Chunker, Delivery, Handled, Progress};
pub use service::ChunkerService;
