//! Who holds event streams open: nobody more than a number of them, and nobody longer than what they came in with lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caffeine_model::{SessionId, TokenId, UserId};
use caffeine_store::Store;
use caffeine_store::gateway::SessionLife;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::identity::Principal;
use crate::metrics::METRICS;

/// How often it is asked whether sessions and tokens with open streams still live.
const POLL: Duration = Duration::from_secs(5);
/// How many streams read rows at the same time: a thousand that come back at once are not to keep the connections to the
/// database from everybody else.
const READS: usize = 2;

/// What a stream was opened with: the session if there is one, else the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Opener {
    user: UserId,
    session: Option<SessionId>,
    token: Option<TokenId>,
}

#[derive(Debug, Default)]
struct Opened {
    streams: usize,
    ended: CancellationToken,
}

/// The open streams of this pod.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    /// How many a user may have; 0 is without limit.
    limit: usize,
    reads: Arc<Semaphore>,
    opened: Arc<Mutex<HashMap<Opener, Opened>>>,
}

/// One stream among them, for as long as this lives.
pub(crate) struct Stream {
    streams: Streams,
    opener: Opener,
    ended: CancellationToken,
}

impl Streams {
    pub(crate) fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, reads: Arc::new(Semaphore::new(READS)), opened: Arc::default() }
    }

    /// One more; `None` if its user has as many as may be.
    pub(crate) fn open(&self, who: &Principal) -> Option<Stream> {
        let token = if who.session.is_none() { who.token } else { None };
        let opener = Opener { user: who.user, session: who.session, token };
        let mut all = self.opened();
        let theirs: usize = all.iter().filter(|(one, _)| one.user == who.user).map(|(_, opened)| opened.streams).sum();
        if self.limit > 0 && theirs >= self.limit {
            return None;
        }
        let opened = all.entry(opener).or_default();
        opened.streams += 1;
        METRICS.streams.add(1, &[]);
        Some(Stream { streams: self.clone(), opener, ended: opened.ended.clone() })
    }

    /// How many a user may have.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Ends the streams of sessions and tokens that have ended, until `shutdown`.
    pub(crate) async fn run(self, store: Store, life: SessionLife, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
            let openers: Vec<Opener> = self.opened().keys().copied().collect();
            if openers.is_empty() {
                continue;
            }
            let sessions: Vec<SessionId> = openers.iter().filter_map(|opener| opener.session).collect();
            let tokens: Vec<TokenId> = openers.iter().filter_map(|opener| opener.token).collect();
            match store.living_credentials(&sessions, &tokens, life).await {
                Ok(living) => {
                    let lives = |opener: &Opener| {
                        opener.session.is_some_and(|session| living.sessions.contains(&session))
                            || opener.token.is_some_and(|token| living.tokens.contains(&token))
                    };
                    // Whoever has come meanwhile was not asked about.
                    openers.iter().filter(|opener| !lives(opener)).for_each(|opener| self.end(opener));
                }
                Err(error) => tracing::warn!(error = %error, "sessions with open streams cannot be looked at"),
            }
        }
    }

    fn end(&self, opener: &Opener) {
        if let Some(opened) = self.opened().get(opener) {
            opened.ended.cancel();
        }
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<Opener, Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    /// What it was opened with has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits for that.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// A permit to read rows. `None` is none: nobody closes the semaphore.
    pub(crate) async fn may_read(&self) -> Option<SemaphorePermit<'_>> {
        self.streams.reads.acquire().await.ok()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        METRICS.streams.add(-1, &[]);
        let mut all = self.streams.opened();
        let Some(opened) = all.get_mut(&self.opener) else { return };
        opened.streams -= 1;
        if opened.streams == 0 {
            all.remove(&self.opener);
        }
    }
}

#[cfg(test)]
mod tests {
    use caffeine_model::{TokenId, UserId, WorkspaceId};
    use chrono::Utc;
    use uuid::Uuid;

    use super::Streams;
    use crate::domain::role::{Role, Scope};
    use crate::identity::Principal;

    fn somebody(user: u128, token: u128) -> Principal {
        Principal {
            workspace: WorkspaceId::from_uuid(Uuid::nil()),
            workspace_name: String::new(),
            user: UserId::from_uuid(Uuid::from_u128(user)),
            display_name: String::new(),
            role: Role::Viewer,
            scope: Scope::Read,
            token: Some(TokenId::from_uuid(Uuid::from_u128(token))),
            token_expires_at: None,
            session: None,
            expires_at: Utc::now(),
            ip: None,
        }
    }

    #[test]
    fn a_user_has_so_many_with_all_tokens_together() {
        let streams = Streams::new(2);
        let (one, other) = (streams.open(&somebody(1, 1)), streams.open(&somebody(1, 2)));
        assert!(one.is_some() && other.is_some());
        assert!(streams.open(&somebody(1, 3)).is_none());
        let another = streams.open(&somebody(2, 4));
        assert!(another.is_some(), "somebody else");
        drop(other);
        assert!(streams.open(&somebody(1, 3)).is_some(), "one was closed");
        drop((one, another));
        assert!(streams.opened().is_empty(), "nothing is kept of those that are gone");
    }

    #[test]
    fn all_streams_of_a_token_end_and_no_others() {
        let streams = Streams::new(0);
        let [one, other, another] = [(1, 1), (1, 1), (1, 2)].map(|(user, token)| {
            let opened = streams.open(&somebody(user, token));
            opened.unwrap()
        });
        streams.end(&one.opener);
        assert!(one.has_ended() && other.has_ended() && !another.has_ended());
    }
}
