//! How many of a run's batches are in: the question that ends a stage.
//!
//! Each stage has a row per run with the total (unknown until the list arrives, in any order) and a row per batch that
//! is written by the transaction which stores the batch's data. The run's row is locked first, and completeness is
//! asked in a later statement: whoever waited for the lock then sees what its holder committed.

use caffeine_model::{RepositoryId, RunId, WorkId, WorkspaceId};
use chrono::{DateTime, Utc};

/// The piece of work that a transaction belongs to, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkOf {
    /// The key of the inbox.
    pub work: WorkId,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The repository.
    pub repository: RepositoryId,
    /// The run.
    pub run: RunId,
}

/// Why a stage of a run ended without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFailure {
    /// A stable word.
    pub code: String,
    /// One sentence for a person.
    pub reason: String,
}

impl StageFailure {
    /// How the inbox keeps it.
    pub(crate) fn detail(&self) -> String {
        format!("{}: {}", self.code, self.reason)
    }
}

/// How far the batches of a run are in, as seen under the lock of the run's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanIn {
    /// How many there will be; unknown until the list arrives.
    pub batches: Option<u32>,
    /// How many of them are in, failed ones too.
    pub arrived: u32,
    /// Set if the stage before, or this one, gave up: then nothing completes any more.
    pub failure: Option<StageFailure>,
    /// The database's time when this was asked.
    pub asked_at: DateTime<Utc>,
}

impl FanIn {
    /// Whether every batch is in.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failure.is_none() && self.batches == Some(self.arrived)
    }
}

/// What the row of a run says about a failure.
pub(crate) fn failure(code: Option<String>, reason: Option<String>) -> Option<StageFailure> {
    code.map(|code| StageFailure { code, reason: reason.unwrap_or_default() })
}

/// A count of rows, or of something a row holds.
pub(crate) fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(if value < 0 { 0 } else { u32::MAX })
}

/// A number that a row keeps as `integer` and that is never negative.
pub(crate) fn natural(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
