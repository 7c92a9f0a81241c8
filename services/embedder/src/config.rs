//! Settings of the embedder.

use serde::{Deserialize, Serialize};

/// Settings of the embedder. The model is not one of them: a run fixes it at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbedderConfig {
    /// How many chunks are given to the model at once. Between two calls the job looks whether it is cancelled.
    pub chunks_per_call: usize,
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self { chunks_per_call: 128 }
    }
}
