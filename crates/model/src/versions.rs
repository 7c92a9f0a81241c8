//! Names of what a run is fixed to when it starts. A pod of another version hands the run's messages back.

/// The analyser of this program. It changes with everything that changes derived rows: grammars, chunk size, rules.
pub const ANALYSER: &str = "a1";

/// The embedding model that ships with this program.
pub const EMBEDDING_MODEL: &str = "static-code-256-v2";
