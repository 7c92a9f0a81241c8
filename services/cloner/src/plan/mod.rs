//! The plan of a run: which files travel, in which batch, in which lane. Pure functions.

mod batch;
mod cut;

pub use batch::{BatchFile, encode};
pub use cut::{MAX_BATCH_FILES, cut, entries};
