//! Commands to every pod, for those that do more than drop work.

use async_nats::jetstream::consumer::DeliverPolicy;
use caffeine_contract::{Command, Decision, Stream};
use caffeine_model::{RepositoryId, WorkspaceId};

use crate::ordered::Ordered;
use crate::{Bus, BusError};

/// The commands of one verb.
pub(crate) struct Commands(Ordered);

impl Commands {
    /// The next one; waits through reconnects.
    pub(crate) async fn next(&mut self) -> Command {
        loop {
            let message = self.0.next().await;
            match Command::decode(&message.payload) {
                Ok(Some(command)) => return command,
                Ok(None) => {}
                Err(error) => tracing::warn!(subject = %message.subject, %error, "a command cannot be decoded"),
            }
        }
    }
}

/// The repositories whose garbage is to be collected, as it is asked for.
pub struct Collections(Commands);

impl Collections {
    /// The next one; waits through reconnects.
    pub async fn next(&mut self) -> RepositoryId {
        loop {
            if let Command::Collect { repository, .. } = self.0.next().await {
                return repository;
            }
        }
    }
}

/// What a person has decided about a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The letter's number.
    pub letter: u64,
    /// When it was stored, in milliseconds since 1970-01-01 UTC.
    pub stored_at_ms: i64,
    /// What becomes of it.
    pub decision: Decision,
}

/// What people decide about dead letters.
pub struct Settlements(Commands);

impl Settlements {
    /// The next one; waits through reconnects.
    pub async fn next(&mut self) -> Settlement {
        loop {
            let command = self.0.next().await;
            if let Command::SettleDeadLetter { workspace, letter, stored_at_ms, decision } = command {
                return Settlement { workspace, letter, stored_at_ms, decision };
            }
        }
    }
}

impl Bus {
    /// What people decide about dead letters: first the decisions of the last week, then each as it comes. Whoever
    /// follows them must take a letter that is gone for one that is settled.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream has not been provisioned.
    pub async fn settlements(&self) -> Result<Settlements, BusError> {
        self.commands(Command::SETTLE, DeliverPolicy::LastPerSubject).await.map(Settlements)
    }

    pub(crate) async fn commands(&self, verb: &str, policy: DeliverPolicy) -> Result<Commands, BusError> {
        let ordered = Ordered::open(
            self.jetstream.clone(),
            self.subjects.stream(Stream::Control),
            self.subjects.control(verb, ">"),
            format!("{}-{verb}", self.name),
            policy,
        )
        .await?;
        Ok(Commands(ordered))
    }

    /// The repositories whose garbage is to be collected, from now on: what a pod misses is asked for again.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream has not been provisioned.
    pub async fn collections(&self) -> Result<Collections, BusError> {
        self.commands(Command::COLLECT, DeliverPolicy::New).await.map(Collections)
    }
}
