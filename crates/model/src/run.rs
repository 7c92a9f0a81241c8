//! The state of a run and of a document, as readers see them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state")]
pub struct StateError(pub String);

macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every state, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word used in rows and in the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = StateError;

            fn from_str(text: &str) -> Result<Self, StateError> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| StateError(text.to_owned()))
            }
        }
    };
}

states! {
    /// How far a run has come. The order is the order of progress: a run never moves back, and the five last are
    /// terminal.
    RunState {
        /// Waits for another run of the same ref to end.
        Queued = "queued",
        /// Asked for; no cloner has it yet.
        Pending = "pending",
        /// A cloner works on it.
        Cloning = "cloning",
        /// All files that had to travel have been sent.
        Cloned = "cloned",
        /// Every file is analysed and the snapshot is linked.
        Analysed = "analysed",
        /// Every chunk is embedded; documents are being written.
        Indexed = "indexed",
        /// Everything that was asked for exists.
        Completed = "completed",
        /// Ended, and something is missing: some files or pages failed.
        CompletedWithErrors = "completed_with_errors",
        /// Ended without a usable result.
        Failed = "failed",
        /// Ended by a person.
        Cancelled = "cancelled",
        /// Replaced: before it began by a request for other documents, or by a run with the versions that are at work
        /// now.
        Superseded = "superseded",
    }
}

impl RunState {
    /// Whether the run has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self >= Self::Completed
    }

    /// Whether somebody has ended the run before its time: whatever its stages still report is not wanted.
    #[must_use]
    pub fn is_withdrawn(self) -> bool {
        matches!(self, Self::Cancelled | Self::Superseded)
    }

    /// The state after a report of `next`: forward moves are taken, everything else is ignored.
    #[must_use]
    pub fn advance(self, next: Self) -> Self {
        if self.is_terminal() { self } else { self.max(next) }
    }
}

states! {
    /// How far a document has come.
    DocumentState {
        /// Asked for; its run is not ready yet.
        Requested = "requested",
        /// Its pages are known and being written.
        Writing = "writing",
        /// Every page is published.
        Completed = "completed",
        /// Ended, and some pages failed.
        CompletedWithErrors = "completed_with_errors",
        /// No page could be written.
        Failed = "failed",
        /// Ended because its run was.
        Cancelled = "cancelled",
    }
}

impl DocumentState {
    /// Whether the document has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self >= Self::Completed
    }
}

#[cfg(test)]
mod tests {
    use super::RunState;

    #[test]
    fn words_round_trip() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
    }

    #[test]
    fn never_backwards() {
        assert_eq!(RunState::Analysed.advance(RunState::Cloned), RunState::Analysed);
        assert_eq!(RunState::Cloned.advance(RunState::Indexed), RunState::Indexed);
        for terminal in RunState::ALL.iter().filter(|state| state.is_terminal()) {
            for next in RunState::ALL {
                assert_eq!(terminal.advance(*next), *terminal);
            }
        }
    }
}
