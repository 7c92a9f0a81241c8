//! Named points at which a test kills the process. Nothing happens unless the environment asks for it.

/// A point in the life of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// The message was pulled; nothing has been done.
    AfterPull,
    /// The transaction is committed; nothing has been published.
    AfterCommit,
    /// An output has been published and acknowledged.
    AfterPublish,
    /// Everything is done but the acknowledgement.
    BeforeAck,
}
