//! Text in, vector out: the embedders of the search index, and the words of its lexical half.
//!
//! # Purpose
//! One trait, [`Embedder`], and the default behind it, [`StaticTable`]: a table of 23,735 words by
//! 256 numbers that was trained for code search and ships inside the binary. It needs no network,
//! no accelerator and no model run time; a chunk costs a few dozen look-ups. The sibling modules: [`lexical`]
//! cuts text into the lexemes of the lexical index, and [`question`] takes a question apart. Documents
//! and queries go through the same functions, always.
//!
//! # Non-goals
//! - Training. How the table was made, from what, and under which licences is in `data/README.md`.
//! - Storage, ranking and fusion: they belong to the store and its callers.
//! - Network embedders. One that calls a remote service will implement [`Embedder`] too, but the
//!   bytes it sends will pass the send gate first, like those of every model.
//!
//! # Invariants
//! - The same text gives the same bits, on every machine: results depend on the text and on
//!   [`Embedder::model`] only. Whatever changes a vector changes the model's name.
//! - A vector has length 1. A text without any known word has no direction, hence no cosine; it is
//!   [`Embedding::Empty`], never a vector of zeros.
//! - Any text is accepted, of any size, and the work is linear in it.
//!
//! # To add another embedder
//! Implement [`Embedder`] in a module of its own with a new model name, put its golden vectors
//! beside it, and let the service choose it by configuration. Vectors of different models are never
//! compared, so a new model means that every file version is embedded again.

mod embedder;
pub mod lexical;
pub mod question;
mod static_table;
mod table_words;

pub use embedder::{EmbedError, Embedder, Embedding};
pub use static_table::StaticTable;
