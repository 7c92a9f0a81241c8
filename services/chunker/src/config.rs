//! Settings of the chunker.

use serde::{Deserialize, Serialize};

/// Settings of the chunker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkerConfig {
    /// How many files are analysed at once in this process; 0 for as many as there are processors.
    pub threads: usize,
    /// The most imports, symbols and references of a snapshot that are linked; what does not fit is left out of the
    /// graph, references first. A million imports and symbols take about 250 MB, references next to nothing.
    pub max_link_rows: u32,
}

impl Default for ChunkerConfig {
    fn default() -> Self {
        Self { threads: 0, max_link_rows: 4_000_000 }
    }
}
