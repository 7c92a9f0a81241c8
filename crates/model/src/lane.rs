//! Lanes: small, interactive work overtakes bulk work.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The lane a run's work travels in. The cloner chooses it from the number of changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Fewer than 2,000 changed files, or a person is waiting.
    Interactive,
    /// Everything else.
    Bulk,
}

/// A word that names no lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a lane: use `interactive` or `bulk`")]
pub struct LaneError(pub String);

impl Lane {
    /// Both lanes, the one that is served first in front.
    pub const ALL: [Self; 2] = [Self::Interactive, Self::Bulk];

    /// The token used in subjects, headers and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = LaneError;

    fn from_str(text: &str) -> Result<Self, LaneError> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or_else(|| LaneError(text.to_owned()))
    }
}
