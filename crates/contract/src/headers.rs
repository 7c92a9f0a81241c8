//! Names of the headers. Frozen: an undecodable body is rejected by what stands here.

/// Deduplication id: hash(run, kind, key, generation).
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// Name of the message (`files.batch`).
pub const KIND: &str = "Caffeine-Kind";
/// UUID of the workspace.
pub const WORKSPACE: &str = "Caffeine-Workspace";
/// UUID of the repository.
pub const REPOSITORY: &str = "Caffeine-Repository";
/// UUID of the run.
pub const RUN: &str = "Caffeine-Run";
/// Key of the message within run and kind (a batch number, a document, a page), percent-encoded.
pub const KEY: &str = "Caffeine-Key";
/// Generation, decimal.
pub const GENERATION: &str = "Caffeine-Generation";
/// `interactive` or `bulk`.
pub const LANE: &str = "Caffeine-Lane";
/// Analyser that the run is fixed to.
pub const ANALYSER: &str = "Caffeine-Analyser";
/// Embedding model that the run is fixed to.
pub const EMBEDDING_MODEL: &str = "Caffeine-Embedding-Model";
/// How often the reaper has sent this message again because the broker had lost sight of it, decimal. Absent: never.
pub const REAPED: &str = "Caffeine-Reaped";
/// Why the reader must reject the message without running it, one sentence.
pub const REJECT_UNRUN: &str = "Caffeine-Reject-Unrun";
/// A person sent this dead letter again: its earlier rejection does not count any more.
pub const REDELIVERED: &str = "Caffeine-Redelivered";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// On a dead letter: subject of the original.
pub const DEAD_SUBJECT: &str = "Caffeine-Dead-Subject";
/// On a dead letter: stream of the original.
pub const DEAD_STREAM: &str = "Caffeine-Dead-Stream";
/// On a dead letter: sequence of the original in its stream.
pub const DEAD_SEQUENCE: &str = "Caffeine-Dead-Sequence";
/// On a dead letter: how often it had been delivered.
pub const DEAD_DELIVERED: &str = "Caffeine-Dead-Delivered";
/// On a dead letter: a stable word for why.
pub const DEAD_CODE: &str = "Caffeine-Dead-Code";
/// On a dead letter: why, one sentence.
pub const DEAD_REASON: &str = "Caffeine-Dead-Reason";
