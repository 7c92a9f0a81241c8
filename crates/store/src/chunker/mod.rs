//! What the chunker writes: analyses of file versions, the fan-in of their batches, and the graph of a snapshot.

mod batch;
mod link;
mod rows;
mod snapshot;

pub use link::{LinkRows, Linked};
pub use rows::{
    EdgeRow, ExternalDependencyRow, FileVersionRow, ImportRow, ModuleFileRow, ModuleRow, RefRow, SymbolRow,
};
pub use snapshot::{SnapshotFile, SnapshotImport, SnapshotRefs, SnapshotSymbol};
