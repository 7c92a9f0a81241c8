//! Commands to every pod.
//!
//! A command is no work: it has no row in the table, no reader and no scope. Of each thing only the last command is
//! stored, for a week, so a pod that starts later hears it too.

use bytes::Bytes;
use caffeine_model::{RepositoryId, RunId, WorkspaceId};
use prost::Message as _;

use crate::scope::{DecodeError, id_bytes, uuid_field};
use crate::v1;

/// What every pod must know at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The run has ended by a person's word: drop its work.
    CancelRun {
        /// The tenant.
        workspace: WorkspaceId,
        /// The run.
        run: RunId,
    },
    /// The repository is being deleted: drop its work, forget what is kept of it.
    DeleteRepository {
        /// The tenant.
        workspace: WorkspaceId,
        /// The repository.
        repository: RepositoryId,
        /// Its runs of which events may still be stored.
        runs: Vec<RunId>,
    },
    /// The repository has rows that no kept snapshot needs: each owner removes its own.
    Collect {
        /// The tenant.
        workspace: WorkspaceId,
        /// The repository.
        repository: RepositoryId,
    },
    /// A person has decided what becomes of a dead letter: the housekeeper does it.
    SettleDeadLetter {
        /// The tenant.
        workspace: WorkspaceId,
        /// The letter's number.
        letter: u64,
        /// When it was stored, in milliseconds since 1970-01-01 UTC: in a new stream the numbers begin anew.
        stored_at_ms: i64,
        /// What becomes of it.
        decision: Decision,
    },
}

/// What becomes of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is sent again.
    Redeliver,
    /// It is removed for good.
    Drop,
}

impl Command {
    /// What a row of the outbox calls a command.
    pub const KIND: &'static str = "control";
    /// The verb of [`Command::CancelRun`] in its subject.
    pub const CANCEL: &'static str = "cancel";
    /// The verb of [`Command::DeleteRepository`] in its subject.
    pub const DELETE: &'static str = "delete";
    /// The verb of [`Command::Collect`] in its subject.
    pub const COLLECT: &'static str = "collect";
    /// The verb of [`Command::SettleDeadLetter`] in its subject.
    pub const SETTLE: &'static str = "settle";

    /// The verb in its subject, and what it is about.
    #[must_use]
    pub fn address(&self) -> (&'static str, String) {
        match self {
            Self::CancelRun { run, .. } => (Self::CANCEL, run.to_string()),
            Self::DeleteRepository { repository, .. } => (Self::DELETE, repository.to_string()),
            Self::Collect { repository, .. } => (Self::COLLECT, repository.to_string()),
            Self::SettleDeadLetter { letter, .. } => (Self::SETTLE, letter.to_string()),
        }
    }

    /// The wire form.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        use v1::control::Command as Wire;
        let wire = match self {
            Self::CancelRun { workspace, run } => Wire::CancelRun(v1::CancelRun {
                workspace_id: id_bytes(workspace.as_uuid()),
                run_id: id_bytes(run.as_uuid()),
            }),
            Self::DeleteRepository { workspace, repository, runs } => Wire::DeleteRepository(v1::DeleteRepository {
                workspace_id: id_bytes(workspace.as_uuid()),
                repository_id: id_bytes(repository.as_uuid()),
                run_ids: runs.iter().map(|run| id_bytes(run.as_uuid())).collect(),
            }),
            Self::Collect { workspace, repository } => Wire::Collect(v1::CollectRequested {
                workspace_id: id_bytes(workspace.as_uuid()),
                repository_id: id_bytes(repository.as_uuid()),
            }),
            Self::SettleDeadLetter { workspace, letter, stored_at_ms, decision } => {
                Wire::SettleDeadLetter(v1::SettleDeadLetter {
                    workspace_id: id_bytes(workspace.as_uuid()),
                    sequence: *letter,
                    stored_at_ms: *stored_at_ms,
                    decision: decision.to_wire().into(),
                })
            }
        };
        v1::Control { command: Some(wire) }.encode_to_vec().into()
    }

    /// Reads the wire form; `None` if it is a command that this program does not know.
    ///
    /// # Errors
    /// If the bytes are no command, or an identifier is malformed.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        use v1::control::Command as Wire;
        let workspace = |bytes: &[u8]| uuid_field("workspace_id", bytes).map(WorkspaceId::from_uuid);
        let repository = |bytes: &[u8]| uuid_field("repository_id", bytes).map(RepositoryId::from_uuid);
        let run = |bytes: &[u8]| uuid_field("run_id", bytes).map(RunId::from_uuid);
        Ok(match v1::Control::decode(bytes)?.command {
            Some(Wire::CancelRun(cancel)) => {
                Some(Self::CancelRun { workspace: workspace(&cancel.workspace_id)?, run: run(&cancel.run_id)? })
            }
            Some(Wire::DeleteRepository(delete)) => Some(Self::DeleteRepository {
                workspace: workspace(&delete.workspace_id)?,
                repository: repository(&delete.repository_id)?,
                runs: delete.run_ids.iter().map(|bytes| run(bytes)).collect::<Result<_, _>>()?,
            }),
            Some(Wire::Collect(collect)) => Some(Self::Collect {
                workspace: workspace(&collect.workspace_id)?,
                repository: repository(&collect.repository_id)?,
            }),
            Some(Wire::SettleDeadLetter(settle)) => match Decision::from_wire(settle.decision()) {
                Some(decision) => Some(Self::SettleDeadLetter {
                    workspace: workspace(&settle.workspace_id)?,
                    letter: settle.sequence,
                    stored_at_ms: settle.stored_at_ms,
                    decision,
                }),
                None => None,
            },
            _ => None,
        })
    }
}

impl Decision {
    fn to_wire(self) -> v1::settle_dead_letter::Decision {
        match self {
            Self::Redeliver => v1::settle_dead_letter::Decision::Redeliver,
            Self::Drop => v1::settle_dead_letter::Decision::Drop,
        }
    }

    /// `None` if it is one that this program does not know.
    fn from_wire(decision: v1::settle_dead_letter::Decision) -> Option<Self> {
        match decision {
            v1::settle_dead_letter::Decision::Redeliver => Some(Self::Redeliver),
            v1::settle_dead_letter::Decision::Drop => Some(Self::Drop),
            v1::settle_dead_letter::Decision::Unspecified => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use caffeine_model::{RepositoryId, RunId, WorkspaceId};
    use prost::Message as _;

    use super::{Command, Decision};
    use crate::v1;

    #[test]
    fn what_is_written_is_read() {
        let workspace = WorkspaceId::generate();
        let repository = RepositoryId::generate();
        let runs = vec![RunId::generate(), RunId::generate()];
        for command in [
            Command::CancelRun { workspace, run: runs[0] },
            Command::DeleteRepository { workspace, repository, runs: runs.clone() },
            Command::DeleteRepository { workspace, repository, runs: Vec::new() },
            Command::Collect { workspace, repository },
            Command::SettleDeadLetter { workspace, letter: 7, stored_at_ms: 1, decision: Decision::Redeliver },
            Command::SettleDeadLetter { workspace, letter: u64::MAX, stored_at_ms: -1, decision: Decision::Drop },
        ] {
            assert_eq!(Command::decode(&command.encode()).unwrap(), Some(command));
        }
    }

    #[test]
    fn unknown_commands_are_skipped_and_broken_ones_are_named() {
        assert_eq!(Command::decode(&[]).unwrap(), None);
        assert!(Command::decode(&[0xff]).is_err());
        let undecided = v1::SettleDeadLetter { sequence: 7, decision: 99, ..v1::SettleDeadLetter::default() };
        let undecided = v1::control::Command::SettleDeadLetter(undecided);
        assert_eq!(Command::decode(&v1::Control { command: Some(undecided) }.encode_to_vec()).unwrap(), None);
        let cancel = v1::control::Command::CancelRun(v1::CancelRun::default());
        assert!(Command::decode(&v1::Control { command: Some(cancel) }.encode_to_vec()).is_err());
    }
}
