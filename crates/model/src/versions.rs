//! What a run is fixed to when it starts: rows of another analyser or model are other rows.

/// Version of the analyser (chunks, symbols, links). Raising it analyses every file anew.
pub const ANALYSER: &str = "a2";

/// The embedding model of the default installation: the table in `caffeine-embedding`.
pub const EMBEDDING_MODEL: &str = "static-code-256-v2";
