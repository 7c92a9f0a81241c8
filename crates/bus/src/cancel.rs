//! Work that nobody wants any more: cancelled runs and deleted repositories.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::consumer::DeliverPolicy;
use caffeine_contract::{Command, Scope, Stream};
use caffeine_model::{RepositoryId, RunId};
use tokio_util::sync::CancellationToken;

use crate::ordered::Ordered;
use crate::{Bus, BusError, PublishError};

/// More than anybody cancels while their work is alive.
const REMEMBERED: usize = 100_000;

/// What this process has been told to drop, and the tokens of the jobs that are running.
#[derive(Default)]
pub(crate) struct CancelSet {
    state: Mutex<State>,
    /// Set once the listener is open.
    listening: tokio::sync::OnceCell<()>,
    /// Ends the listener with the last handle of the connection.
    pub(crate) listener: CancellationToken,
}

#[derive(Default)]
struct State {
    runs: Remembered<RunId>,
    repositories: Remembered<RepositoryId>,
    running: HashMap<u64, Running>,
    next: u64,
}

struct Running {
    run: RunId,
    repository: RepositoryId,
    token: CancellationToken,
}

/// A set that forgets its oldest member.
struct Remembered<T> {
    members: HashSet<T>,
    order: VecDeque<T>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { members: HashSet::new(), order: VecDeque::new() }
    }
}

impl<T: Copy + Eq + Hash> Remembered<T> {
    fn insert(&mut self, member: T) {
        if !self.members.insert(member) {
            return;
        }
        self.order.push_back(member);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
    }
}

impl State {
    fn contains(&self, run: RunId, repository: RepositoryId) -> bool {
        self.runs.members.contains(&run) || self.repositories.members.contains(&repository)
    }
}

impl CancelSet {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether work of this scope is to be dropped.
    pub(crate) fn contains(&self, scope: &Scope) -> bool {
        self.state().contains(scope.run, scope.repository)
    }

    /// Whether the repository is being deleted.
    pub(crate) fn is_deleted(&self, repository: RepositoryId) -> bool {
        self.state().repositories.members.contains(&repository)
    }

    /// Cancels `token` as soon as its scope is; until the guard is dropped.
    pub(crate) fn watch(self: &Arc<Self>, scope: &Scope, token: CancellationToken) -> Watch {
        let (run, repository) = (scope.run, scope.repository);
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        if state.contains(run, repository) {
            token.cancel();
        }
        state.running.insert(id, Running { run, repository, token });
        Watch { set: Arc::clone(self), id }
    }

    fn obey(&self, command: &Command) {
        let mut state = self.state();
        match command {
            Command::CancelRun { run, .. } => state.runs.insert(*run),
            Command::DeleteRepository { repository, .. } => state.repositories.insert(*repository),
            Command::Collect { .. } | Command::SettleDeadLetter { .. } => return,
        }
        for running in state.running.values().filter(|running| state.contains(running.run, running.repository)) {
            running.token.cancel();
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
    /// Tells every pod, those that start in the next week too.
    ///
    /// # Errors
    /// See [`PublishError`]; a repeat is harmless.
    pub async fn command(&self, command: &Command) -> Result<(), PublishError> {
        let (verb, about) = command.address();
        let subject = self.subjects.control(verb, &about);
        self.store(subject, Stream::Control.spec().name, async_nats::HeaderMap::new(), command.encode()).await
    }

    /// Starts to listen for commands, once per connection; whoever else asks meanwhile waits for it.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream has not been provisioned.
    pub(crate) async fn listen_for_cancels(&self) -> Result<(), BusError> {
        self.cancels.listening.get_or_try_init(|| self.open_commands()).await?;
        Ok(())
    }

    async fn open_commands(&self) -> Result<(), BusError> {
        let mut commands = Ordered::open(
            self.jetstream.clone(),
            self.subjects.stream(Stream::Control),
            self.subjects.control("*", ">"),
            format!("{}-control", self.name),
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
                match Command::decode(&message.payload) {
                    Ok(Some(command)) => set.obey(&command),
                    Ok(None) => {}
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

    use caffeine_contract::{Command, Scope};
    use caffeine_model::{Generation, Lane, RepositoryId, RunId, WorkspaceId};
    use tokio_util::sync::CancellationToken;

    use super::CancelSet;

    fn scope() -> Scope {
        Scope {
            workspace: WorkspaceId::generate(),
            repository: RepositoryId::generate(),
            run: RunId::generate(),
            generation: Generation(0),
            lane: Lane::Bulk,
            analyser: String::new(),
            embedding_model: String::new(),
        }
    }

    fn check(scope: &Scope, command: &Command) {
        let set = Arc::new(CancelSet::default());
        let other = self::scope();
        let (running, untouched, ended) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let _running = set.watch(scope, running.clone());
        let _untouched = set.watch(&other, untouched.clone());
        drop(set.watch(scope, ended.clone()));
        set.obey(command);
        assert!(running.is_cancelled() && !untouched.is_cancelled() && !ended.is_cancelled());
        let later = CancellationToken::new();
        let _later = set.watch(scope, later.clone());
        assert!(later.is_cancelled() && set.contains(scope) && !set.contains(&other));
    }

    #[test]
    fn running_and_later_jobs_are_cancelled() {
        let scope = scope();
        let (workspace, repository, run) = (scope.workspace, scope.repository, scope.run);
        check(&scope, &Command::CancelRun { workspace, run });
        check(&scope, &Command::DeleteRepository { workspace, repository, runs: Vec::new() });
    }

    #[test]
    fn a_repository_outlives_a_cancelled_run() {
        let set = Arc::new(CancelSet::default());
        let cancelled = scope();
        let next = Scope { run: RunId::generate(), ..cancelled.clone() };
        set.obey(&Command::CancelRun { workspace: cancelled.workspace, run: cancelled.run });
        assert!(set.contains(&cancelled) && !set.contains(&next) && !set.is_deleted(next.repository));
    }
}
