//! Why a repository cannot be cloned.

use std::time::Duration;

use caffeine_bus::Failure;
use caffeine_contract::v1;

/// Every message is a sentence for the person who asked: what is wrong, and what to do. None holds a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloneError {
    /// No repeat will help.
    #[error("{reason}")]
    Refused {
        /// A stable word.
        code: &'static str,
        /// The sentence.
        reason: String,
    },
    /// A repeat may help.
    #[error("{reason}")]
    Unreachable {
        /// The sentence.
        reason: String,
    },
    /// The job was cancelled while it worked.
    #[error("the work was stopped")]
    Stopped,
    /// Another job uses the mirror.
    #[error("another job uses the mirror of this repository")]
    Busy,
    /// The mirror on the disk lacks something or is damaged.
    #[error("the mirror is damaged: {problem}")]
    Damaged {
        /// What is wrong with it.
        problem: String,
    },
}

impl CloneError {
    /// No repeat will help.
    pub(crate) fn refused(code: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused { code, reason: reason.into() }
    }

    /// A repeat may help.
    pub(crate) fn unreachable(reason: impl Into<String>) -> Self {
        Self::Unreachable { reason: reason.into() }
    }

    /// The same error with other words.
    pub(crate) fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Refused { code, reason } => Self::Refused { code, reason: change(&reason) },
            Self::Unreachable { reason } => Self::Unreachable { reason: change(&reason) },
            Self::Damaged { problem } => Self::Damaged { problem: change(&problem) },
            Self::Stopped | Self::Busy => self,
        }
    }

    /// What a reader of the wire sees of it.
    #[must_use]
    pub fn to_wire(&self) -> v1::Failure {
        let code = match self {
            Self::Refused { code, .. } => code,
            Self::Unreachable { .. } => "unreachable",
            Self::Stopped => "stopped",
            Self::Busy => "busy",
            Self::Damaged { .. } => "damaged",
        };
        v1::Failure { code: code.to_owned(), reason: self.to_string() }
    }

    /// What it means for a message that failed `attempts` times before.
    #[must_use]
    pub fn into_failure(self, attempts: u32) -> Failure {
        match self {
            Self::Refused { code, reason } => Failure::Reject { code, reason },
            // Somebody is watching: a host that stays away fails the run in seconds, not in the minutes of the
            // consumer's own delays.
            Self::Unreachable { reason } => {
                Failure::Retry { after: Some(Duration::from_secs(2 + 8 * u64::from(attempts.min(8)))), reason }
            }
            Self::Stopped => Failure::HandBack { after: Duration::ZERO },
            Self::Busy => Failure::HandBack { after: Duration::from_secs(3) },
            damaged @ Self::Damaged { .. } => Failure::retry(damaged.to_string()),
        }
    }
}
