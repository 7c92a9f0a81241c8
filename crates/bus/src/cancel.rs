//! Runs that a person cancelled.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::consumer::DeliverPolicy;
use caffeine_contract::{Stream, id_bytes, v1};
use caffeine_model::{RunId, WorkspaceId};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use crate::ordered::Ordered;
use crate::{Bus, BusError, PublishError};

const VERB: &str = "cancel";
/// More cancelled runs than anybody cancels while they are alive.
const REMEMBERED: usize = 100_000;

/// The cancelled runs that this process knows of, and the tokens of the jobs that are running.
#[derive(Default)]
pub(crate) struct CancelSet {
    state: Mutex<State>,
    /// Ends the listener with the last handle of the connection.
    pub(crate) listener: CancellationToken,
}

#[derive(Default)]
struct State {
    listening: bool,
    cancelled: HashSet<RunId>,
    order: VecDeque<RunId>,
    running: HashMap<u64, (RunId, CancellationToken)>,
    next: u64,
}

impl CancelSet {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run is cancelled.
    pub(crate) fn contains(&self, run: RunId) -> bool {
        self.state().cancelled.contains(&run)
    }

    /// Cancels `token` as soon as the run is; until the guard is dropped.
    pub(crate) fn watch(self: &Arc<Self>, run: RunId, token: CancellationToken) -> Watch {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        if state.cancelled.contains(&run) {
            token.cancel();
        }
        state.running.insert(id, (run, token));
        Watch { set: Arc::clone(self), id }
    }

    fn cancel(&self, run: RunId) {
        let mut state = self.state();
        if state.cancelled.insert(run) {
            state.order.push_back(run);
            if state.order.len() > REMEMBERED
                && let Some(oldest) = state.order.pop_front()
            {
                state.cancelled.remove(&oldest);
            }
        }
        for (_, token) in state.running.values().filter(|(running, _)| *running == run) {
            token.cancel();
        }
    }
}

impl Drop for CancelSet {
    fn drop(&mut self) {
        self.listener.cancel();
    }
}

/// Keeps a running job in the set.
pub(crate) struct Watch {
    set: Arc<CancelSet>,
    id: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.set.state().running.remove(&self.id);
    }
}

impl Bus {
    /// Tells every pod to drop the work of a run: jobs that run are cancelled, those that wait are dropped.
    ///
    /// # Errors
    /// See [`PublishError`]; a repeat is harmless.
    pub async fn cancel_run(&self, workspace: WorkspaceId, run: RunId) -> Result<(), PublishError> {
        let command = v1::control::Command::CancelRun(v1::CancelRun {
            workspace_id: id_bytes(workspace.as_uuid()),
            run_id: id_bytes(run.as_uuid()),
        });
        let body = v1::Control { command: Some(command) }.encode_to_vec();
        let subject = self.subjects.control(VERB, &run.to_string());
        self.store(subject, Stream::Control.spec().name, async_nats::HeaderMap::new(), body.into()).await
    }

    /// Starts to listen for cancelled runs, once per connection.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream has not been provisioned.
    pub(crate) async fn listen_for_cancels(&self) -> Result<(), BusError> {
        if std::mem::replace(&mut self.cancels.state().listening, true) {
            return Ok(());
        }
        let filter = self.subjects.control(VERB, ">");
        let mut commands = Ordered::open(
            self.jetstream.clone(),
            self.subjects.stream(Stream::Control),
            filter,
            format!("{}-cancel", self.name),
            DeliverPolicy::LastPerSubject,
        )
        .await?;
        let set = Arc::downgrade(&self.cancels);
        let stop = self.cancels.listener.clone();
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = commands.next() => message,
                    () = stop.cancelled() => return,
                };
                let Some(set) = set.upgrade() else { return };
                match v1::Control::decode(message.payload.clone()).map(|control| control.command) {
                    Ok(Some(v1::control::Command::CancelRun(cancel))) => {
                        if let Ok(uuid) = caffeine_contract::uuid_field("run_id", &cancel.run_id) {
                            set.cancel(RunId::from_uuid(uuid));
                        }
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "a command cannot be decoded"),
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use caffeine_model::RunId;
    use tokio_util::sync::CancellationToken;

    use super::CancelSet;

    #[test]
    fn running_and_later_jobs_are_cancelled() {
        let set = Arc::new(CancelSet::default());
        let (run, other) = (RunId::generate(), RunId::generate());
        let (running, untouched, ended) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let _running = set.watch(run, running.clone());
        let _untouched = set.watch(other, untouched.clone());
        drop(set.watch(run, ended.clone()));
        set.cancel(run);
        assert!(running.is_cancelled() && !untouched.is_cancelled() && !ended.is_cancelled());
        let later = CancellationToken::new();
        let _later = set.watch(run, later.clone());
        assert!(later.is_cancelled() && set.contains(run) && !set.contains(other));
    }
}
