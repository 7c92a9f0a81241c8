//! Ends runs by a person's word.

use std::sync::Arc;

use caffeine_bus::Bus;
use caffeine_contract::Scope;
use caffeine_model::{Generation, Lane, RunId, WorkspaceId};
use caffeine_store::gateway::{Actor, Applied, Versions};
use caffeine_store::{Store, StoreError};
use chrono::Utc;
use tokio::sync::Notify;

use crate::domain::announce::{RUN_CHANGED, announce, run_changed};
use crate::domain::facts;

/// Cancels runs through the projector's own path: there is one way for a run to end.
#[derive(Clone)]
pub(crate) struct Canceller {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    /// What a queued run is fixed to when the end of another starts it.
    pub(crate) versions: Versions,
    /// Rung after rows were written to the outbox.
    pub(crate) bell: Arc<Notify>,
}

impl Canceller {
    /// Cancels a run of the actor's workspace that has not ended.
    pub(crate) async fn cancel(&self, by: &Actor, run: RunId) -> Result<Applied, StoreError> {
        let workspace = by.workspace;
        let fact = facts::cancelled(workspace, run, Utc::now());
        let applied = self.store.cancel_run(by, &fact, &self.versions, &announce).await?;
        if let Applied::Stored { sequence, announced, .. } = applied {
            tracing::info!(run_id = %run, "run cancelled");
            if let Some(next) = announced {
                tracing::info!(run_id = %next, "queued run started");
            }
            self.bell.notify_one();
            self.tell(workspace, run, sequence).await?;
        }
        Ok(applied)
    }

    /// Tells the readers of all pods that there is something new.
    async fn tell(&self, workspace: WorkspaceId, run: RunId, sequence: u64) -> Result<(), StoreError> {
        let Some(row) = self.store.run(workspace, run).await? else { return Ok(()) };
        let scope = Scope {
            workspace,
            repository: row.repository,
            run,
            generation: Generation(0),
            lane: Lane::Interactive,
            analyser: String::new(),
            embedding_model: String::new(),
        };
        self.bus.emit(RUN_CHANGED, run_changed(&scope, sequence));
        Ok(())
    }
}
