//! The JetStream runtime: everything the services know about the bus.
//!
//! Purpose: a service says what it does with a message ([`Handler`]); this crate does the rest: pull by free slots,
//! decode, heartbeat, publish the outputs and await every acknowledgement, double ack, delays, dead letters, drain.
//!
//! Non-goals: no SQL (a service brings its inbox as [`Inbox`]), no knowledge of what messages mean.
//!
//! Invariants:
//! - A handler never touches an acknowledgement. It returns what to publish, or a [`Failure`].
//! - Outputs are published after the handler's transaction and before the input is acknowledged; a repeat of the
//!   same work publishes the same ids again.
//! - Publishers wait for room with jitter; they never drop and never spin. Time spent waiting is not the job's.
//! - Work of a cancelled run or a deleted repository is stopped where it runs, and acknowledged and dropped where it
//!   waits; its inbox is not touched.
//! - PostgreSQL decides exactly-once; the broker promises at-least-once.
//! - This is the only crate that uses `async-nats`.
//!
//! To consume one more message: give it a reader in the contract's table and pass a handler to [`Worker::handle`].

mod cancel;
mod commands;
mod connection;
mod dead;
mod dead_letters;
mod delay;
mod deletion;
mod delivery;
mod denial;
mod erased;
mod error;
mod events;
mod fault;
mod handler;
mod headers;
mod job;
mod lease;
mod levels;
mod metrics;
mod nkey;
mod ordered;
mod outgoing;
mod percent;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod provision;
mod publish;
mod pull;
mod reaper;
mod reconnect;
mod redact;
mod rights;
mod run;
mod span;
mod stored;
mod users;
mod worker;

pub use commands::{Collections, Settlement, Settlements};
pub use connection::{Bus, BusConfig};
pub use dead_letters::{DeadLetter, DeadLetterFilter, Redelivery};
pub use deletion::{Deletion, Deletions};
pub use error::{BusError, PublishError};
pub use events::{EventReceiver, Received};
pub use fault::FaultPoint;
pub use handler::{Failure, Handler, Inbox, InboxError, NoInbox, Prior, Rejection};
pub use job::Job;
pub use levels::{ConsumerLevel, Levels, StreamLevel};
pub use nkey::{Nkey, NkeyError};
pub use outgoing::Outgoing;
pub use provision::{ProvisionReport, StorageProfile, provision, verify, verify_service};
pub use reaper::{Reaped, Reaper};
pub use redact::redact_url;
pub use rights::check_rights;
pub use span::{continue_trace, traceparent};
pub use users::accounts;
pub use worker::Worker;
