//! Commands to every pod, for those that do more than drop work.

use async_nats::jetstream::consumer::DeliverPolicy;
use caffeine_contract::{Command, Stream};
use caffeine_model::RepositoryId;

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

impl Bus {
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
