//! Removes deleted repositories in the background: cancels their runs, waits until the command is out, deletes the
//! rows. Every step asks the rows what is left to do, so it goes on wherever another pod was killed.

use std::sync::Arc;
use std::time::Duration;

use caffeine_model::{RepositoryId, WorkspaceId};
use caffeine_store::gateway::Actor;
use caffeine_store::{Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::canceller::Canceller;

/// How many repositories are looked at in one pass. One that waits for its command is passed by, so these are as many as may
/// wait until the others wait, too.
const BATCH: i64 = 1_000;
/// Deletions of other pods, and those that wait for their command, are looked for this often.
const POLL: Duration = Duration::from_secs(1);

/// Removes repositories.
pub(crate) struct Remover {
    pub(crate) store: Store,
    pub(crate) canceller: Canceller,
    /// Rung after the deletion of a repository was asked for in this process.
    pub(crate) deletions: Arc<Notify>,
}

impl Remover {
    /// Works until `shutdown`; the repository that was begun is ended.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match self.store.repositories_being_deleted(BATCH).await {
                Ok(repositories) => {
                    for (workspace, repository) in repositories {
                        if let Err(error) = self.remove(workspace, repository).await {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(repository_id = %repository, error, "repository not removed yet");
                        }
                    }
                }
                Err(error) => tracing::warn!(error = %error, "deleted repositories cannot be listed"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.deletions.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn remove(&self, workspace: WorkspaceId, repository: RepositoryId) -> Result<(), StoreError> {
        for run in self.store.live_runs(workspace, repository).await? {
            self.canceller.cancel(&Actor::system(workspace), run).await?;
        }
        if self.store.erase_repository(repository).await? {
            tracing::info!(repository_id = %repository, "repository removed");
        }
        Ok(())
    }
}
