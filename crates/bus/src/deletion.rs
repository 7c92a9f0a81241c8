//! What the broker keeps of a repository that is being deleted, and its end.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use caffeine_contract::table::{Retention, STREAMS};
use caffeine_contract::{Command, Stream};
use caffeine_model::{RepositoryId, RunId, WorkspaceId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::commands::Commands;
use crate::{Bus, BusError};

/// After this time no pod publishes anything of a deleted repository any more: each has heard the command, and what
/// was running has stopped.
const LATE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(5);
/// How many repositories are purged at the same time.
const AT_ONCE: usize = 8;

/// A repository that is being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The repository.
    pub repository: RepositoryId,
    /// Its runs of which events may still be stored.
    pub runs: Vec<RunId>,
}

/// The repositories whose deletion was commanded.
pub struct Deletions(Commands);

impl Deletions {
    /// The next one; waits through reconnects.
    pub async fn next(&mut self) -> Deletion {
        loop {
            if let Command::DeleteRepository { workspace, repository, runs } = self.0.next().await {
                return Deletion { workspace, repository, runs };
            }
        }
    }
}

impl Bus {
    /// The repositories whose deletion was commanded: first those of the last week, then each as it comes. A reader
    /// that dies hears all of them again.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream has not been provisioned.
    pub async fn deletions(&self) -> Result<Deletions, BusError> {
        self.commands(Command::DELETE, DeliverPolicy::LastPerSubject).await.map(Deletions)
    }

    /// Purges every stream of each deleted repository, until `shutdown`. Needs administrative rights on the broker,
    /// so it is the housekeeper's.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream of commands has not been provisioned; outages are waited out.
    pub async fn purge_deleted(&self, shutdown: CancellationToken) -> Result<(), BusError> {
        let mut deletions = self.deletions().await?;
        // A reader that starts hears the deletions of a week.
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let deletion = tokio::select! {
                deletion = deletions.next() => deletion,
                () = shutdown.cancelled() => return Ok(()),
            };
            // At once, and when nobody publishes any more. Each on its own, so that one does not keep the next.
            let (bus, stop, at_once) = (self.clone(), shutdown.clone(), Arc::clone(&at_once));
            tokio::spawn(async move {
                let purge = async || {
                    // Nobody closes it.
                    let _permit = at_once.acquire().await;
                    bus.purge_patiently(&deletion).await;
                };
                let purged = async {
                    purge().await;
                    tokio::time::sleep(LATE).await;
                    purge().await;
                };
                stop.run_until_cancelled(purged).await;
            });
        }
    }

    async fn purge_patiently(&self, deletion: &Deletion) {
        loop {
            match self.purge_repository(deletion).await {
                Ok(0) => return,
                Ok(messages) => {
                    tracing::info!(repository_id = %deletion.repository, messages, "messages of a deleted repository purged");
                    return;
                }
                Err(error) => {
                    tracing::warn!(
                        repository_id = %deletion.repository, error = &error as &dyn std::error::Error,
                        "a deleted repository could not be purged; trying again"
                    );
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Removes every stored message of a repository: work, transitions, events and dead letters. Says how many there
    /// were. Whoever holds one of them can still acknowledge it. Needs administrative rights on the broker.
    ///
    /// # Errors
    /// If the broker refuses or is away; a repeat is harmless.
    pub async fn purge_repository(&self, deletion: &Deletion) -> Result<u64, BusError> {
        let Deletion { workspace, repository, runs } = deletion;
        let mut purged = 0;
        for spec in STREAMS {
            let filters = match (spec.stream, spec.retention) {
                (Stream::State, _) => runs.iter().map(|run| self.subjects.transitions(*workspace, *run)).collect(),
                (Stream::Events, _) => runs.iter().map(|run| self.subjects.event(*workspace, *run, ">")).collect(),
                (Stream::Dead, _) => vec![self.subjects.dead_of(*workspace, *repository)],
                (_, Retention::WorkQueue) => vec![self.subjects.work_of(*workspace, *repository)],
                // The command itself stays, for pods that start later.
                (_, Retention::Limits) => Vec::new(),
            };
            purged += self.purge(spec.stream, filters).await?;
        }
        Ok(purged)
    }

    async fn purge(&self, stream: Stream, filters: Vec<String>) -> Result<u64, BusError> {
        let name = self.subjects.stream(stream);
        let action = || format!("purge the stream {name} ($JS.API.STREAM.PURGE.{name})");
        let stream = self.jetstream.get_stream(&name).await.map_err(|error| BusError::broker(action(), error))?;
        let mut purged = 0;
        for filter in filters {
            let answer = stream.purge().filter(filter).await.map_err(|error| BusError::broker(action(), error))?;
            purged += answer.purged;
        }
        Ok(purged)
    }
}
