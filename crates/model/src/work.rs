//! Identity of work: what makes two messages the same job.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::RunId;

/// How often the same work has been asked again by reaper, sweeper or a redelivery. Outputs inherit it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation of a repeat.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One job of a run, whatever generation asks for it: hash(run, message kind, key). Inboxes and fan-in use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkId(Uuid);

impl WorkId {
    /// Derives the id. `kind` is the message's name (`files.batch`); `key` tells the messages of one kind apart
    /// within a run (a batch number, a document, a page) and is empty where there is only one.
    #[must_use]
    pub fn derive(run: RunId, kind: &str, key: &str) -> Self {
        Self(digest("caffeine 2026 work", &[run.as_uuid().as_bytes(), kind.as_bytes(), key.as_bytes()]))
    }

    /// The UUID inside.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The broker's deduplication id of this work in a generation.
    #[must_use]
    pub fn message(self, generation: Generation) -> MessageId {
        MessageId(digest("caffeine 2026 message", &[self.0.as_bytes(), &generation.0.to_be_bytes()]))
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of `Nats-Msg-Id`: hash(run, kind, key, generation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Uuid);

impl MessageId {
    /// The UUID inside.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Length-prefixed, so that ("ab", "c") and ("a", "bc") differ.
fn digest(context: &'static str, parts: &[&[u8]]) -> Uuid {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Generation, WorkId};
    use crate::RunId;

    #[test]
    fn generation_changes_the_message_but_not_the_work() {
        let run = RunId::generate();
        let work = WorkId::derive(run, "files.batch", "7");
        assert_eq!(work, WorkId::derive(run, "files.batch", "7"));
        assert_ne!(work, WorkId::derive(run, "files.batch", "8"));
        assert_ne!(work, WorkId::derive(run, "files.batc", "h7"));
        assert_ne!(work.message(Generation(0)), work.message(Generation(0).next()));
    }
}
