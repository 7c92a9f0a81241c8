//! What a service supplies: a handler for each message, and its inbox.

use std::time::Duration;

use async_trait::async_trait;
use caffeine_contract::Message;
use caffeine_model::{Generation, RunId, WorkId, WorkspaceId};

use crate::{Job, Outgoing};

/// How a handler ends when it does not end well. A closed list: the bus knows what to do with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Try again: after `after` if given (a provider's word), else after the consumer's own growing delay. Counts as
    /// an attempt; when attempts are used up the message is rejected with this reason.
    Retry {
        /// The delay somebody else asked for.
        after: Option<Duration>,
        /// One sentence for a person.
        reason: String,
    },
    /// No repeat will help. The bus calls [`Handler::reject`] and writes a dead letter.
    Reject {
        /// A stable word.
        code: &'static str,
        /// One sentence for a person.
        reason: String,
    },
    /// The run was cancelled or is gone: acknowledge and drop.
    Cancelled,
    /// Not this pod, not now (shutdown, no room downstream, a busy provider). Not counted as an attempt.
    HandBack {
        /// How long nobody should get it.
        after: Duration,
    },
}

impl Failure {
    /// A retry after the consumer's own delay.
    #[must_use]
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// A rejection.
    #[must_use]
    pub fn reject(code: &'static str, reason: impl Into<String>) -> Self {
        Self::Reject { code, reason: reason.into() }
    }
}

/// Why a message is rejected: by its handler, because it cannot be decoded, or because attempts are used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A stable word (`undecodable`, `attempts_used_up`, …, or the handler's own).
    pub code: String,
    /// One sentence for a person.
    pub reason: String,
}

/// Handles one kind of message.
///
/// The same message may arrive twice and its reader may be killed at any line, so both methods must be repeatable:
/// one transaction with inserts on natural keys, then outputs that are computed the same way again. A duplicate skips
/// effects, never outputs.
#[async_trait]
pub trait Handler<M: Message>: Send + Sync + 'static {
    /// Does the work and says what to publish. Messages that must not wait for the end, or are too many to hold, go
    /// out through [`Job::publish`].
    ///
    /// # Errors
    /// See [`Failure`].
    async fn handle(&self, job: &Job, message: M) -> Result<Vec<Outgoing>, Failure>;

    /// Ends the work without its result: writes the terminal row and returns what the stage owed downstream, marked
    /// failed, so that every fan-in ends. `message` is absent if it cannot be decoded; `job` comes from its headers.
    ///
    /// # Errors
    /// See [`Failure`]; a retry is never counted here.
    async fn reject(&self, job: &Job, message: Option<M>, rejection: &Rejection) -> Result<Vec<Outgoing>, Failure>;
}

/// What the inbox knows about a piece of work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prior {
    /// Failed attempts so far.
    pub attempts: u32,
    /// If this is a repeated delivery: how many before it, the first one too, began and ended without any word, because
    /// their process died. An inbox that does not count them never calls a message a killer.
    pub crashes: u32,
    /// The effects are stored; outputs may be missing.
    pub done: bool,
    /// The work was rejected for this reason; the dead letter or the owed outputs may be missing.
    pub rejected: Option<Rejection>,
    /// The generation for which a rejection was last forgotten.
    pub retried: Generation,
}

/// The inbox gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// It could not be asked: try again later, nobody's fault.
    #[error("ask the inbox")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no such run any more, so there is nothing left to do: cancelled.
    #[error("the run is gone")]
    Gone,
}

/// Remembers outcomes per work. The outcomes *done* and *rejected* are written by the handler's own transaction.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// What is known about the work.
    ///
    /// # Errors
    /// If the store cannot be reached, or the run is gone.
    async fn prior(&self, work: WorkId) -> Result<Prior, InboxError>;

    /// Counts a failed attempt and returns how many there are now.
    ///
    /// # Errors
    /// If the store cannot be reached, or the run is gone.
    async fn count_attempt(
        &self,
        work: WorkId,
        workspace: WorkspaceId,
        run: RunId,
        reason: &str,
    ) -> Result<u32, InboxError>;

    /// Notes that the work of a repeated delivery begins now: should its process die, it was this one's.
    ///
    /// # Errors
    /// If the store cannot be reached, or the run is gone.
    async fn delivery_started(&self, _work: WorkId, _workspace: WorkspaceId, _run: RunId) -> Result<(), InboxError> {
        Ok(())
    }

    /// Notes that a delivery was handed back or lost by a process that lives. Counting an attempt notes it as well.
    ///
    /// # Errors
    /// If the store cannot be reached, or the run is gone.
    async fn delivery_ended(&self, _work: WorkId, _workspace: WorkspaceId, _run: RunId) -> Result<(), InboxError> {
        Ok(())
    }

    /// Forgets that the work was rejected and how often it was tried: a person has sent it again in this generation.
    ///
    /// # Errors
    /// If the store cannot be reached.
    async fn forget_rejection(&self, _work: WorkId, _generation: Generation) -> Result<(), InboxError> {
        Ok(())
    }
}

/// For a reader whose effects are unique by themselves and whose attempts are not limited (the projector).
#[derive(Debug, Clone, Copy, Default)]
pub struct NoInbox;

#[async_trait]
impl Inbox for NoInbox {
    async fn prior(&self, _work: WorkId) -> Result<Prior, InboxError> {
        Ok(Prior::default())
    }

    async fn count_attempt(
        &self,
        _work: WorkId,
        _workspace: WorkspaceId,
        _run: RunId,
        _reason: &str,
    ) -> Result<u32, InboxError> {
        Ok(1)
    }
}
