//! The projector: applies what stages report to the rows that readers see.

use std::sync::Arc;

use async_trait::async_trait;
use caffeine_bus::{Bus, Failure, Handler, Job, Outgoing, Rejection};
use caffeine_contract::v1;
use caffeine_kit::store_failure;
use caffeine_store::Store;
use caffeine_store::gateway::{Applied, Versions};
use chrono::Utc;
use tokio::sync::Notify;

use crate::domain::announce::{RUN_CHANGED, announce, run_changed};
use crate::domain::facts;
use crate::metrics::METRICS;

/// Handles transitions.
pub(crate) struct Projector {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    /// What a queued run is fixed to when this projector starts it.
    pub(crate) versions: Versions,
    /// Rung after a run was asked for: its outbox rows are due.
    pub(crate) bell: Arc<Notify>,
}

#[async_trait]
impl Handler<v1::RunTransition> for Projector {
    async fn handle(&self, job: &Job, message: v1::RunTransition) -> Result<Vec<Outgoing>, Failure> {
        let fact = facts::read(&job.scope, &message, Utc::now())
            .map_err(|error| Failure::reject("malformed_transition", error.to_string()))?;
        let applied = self.store.apply_fact(&fact, &self.versions, &announce).await.map_err(store_failure)?;
        let sequence = match applied {
            Applied::Gone => {
                METRICS.transition("gone");
                return Err(Failure::Cancelled);
            }
            Applied::Known(last) => {
                METRICS.transition("known");
                last
            }
            Applied::Stored { sequence, state, before, announced, age } => {
                METRICS.transition("stored");
                if state != before {
                    tracing::info!(run_id = %fact.run, state = %state, transition = fact.transition, "run moved");
                }
                if state.is_terminal() && !before.is_terminal() {
                    METRICS.run_ended(state, age);
                }
                if let Some(next) = announced {
                    tracing::info!(run_id = %next, "run asked for");
                    self.bell.notify_one();
                }
                sequence
            }
        };
        // After the commit, and again for a repeat: the first one may have died before it said so.
        self.bus.emit(RUN_CHANGED, run_changed(&job.scope, sequence));
        Ok(Vec::new())
    }

    /// Nothing waits for a transition that cannot be read; the dead letter keeps it for a person.
    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::RunTransition>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        tracing::error!(run_id = %job.scope.run, code = rejection.code, reason = rejection.reason, "transition dropped");
        Ok(Vec::new())
    }
}
