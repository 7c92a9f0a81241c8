//! The gateway: the only part of the system that people and machines outside talk to.
//!
//! # What it does
//! - REST under `/api/v1` (and `/api/repos` with the words of the older system), described by `schemas/openapi.json`;
//!   progress as server-sent events; search.
//! - The web interface of `web/`, built into the program.
//! - Consumes `state` (durable *projector*): every fact that a stage reports about a run is applied once to the run's
//!   row and becomes an event with a sequence number, which is also the id of the server-sent event.
//! - Produces `clone.requested` and `document.requested`, through the outbox: a request writes its rows and the
//!   messages it causes in one transaction, and the relay publishes them afterwards. Commands to all pods (a run is
//!   cancelled, a repository is deleted) go the same way. What an administrator decides about a dead letter is said at
//!   once, to the housekeeper: queues and dead letters are read from the broker, and nothing of them is changed.
//! - Draws the Mermaid diagrams of pages, so that browsers show pictures and run nothing.
//! - Takes signed deliveries of git hosts (`POST /hooks/{webhook}`): a push to a repository's ref asks for a run.
//! - Writes workspaces, users, tokens, sessions, the audit log, repositories, credentials (sealed: only the cloner can open them), runs,
//!   run_documents, run_events, prompt templates and versions, webhooks and their deliveries, what creating requests made
//!   (for repeats), and the outbox. Reads documents, pages, citations, snapshots, sources, symbols, chunks, and how far the
//!   stages are, which belong to others.
//!
//! # Failure behaviour
//! - The broker is away: requests are answered, their messages wait in the outbox; the rows of followed runs are looked
//!   at every five seconds.
//! - A client stops reading its stream, or anything else: what is sent piles up with the system, then in half a mebibyte
//!   here, and after `stalled_seconds` the connection is cut.
//! - A session or a token ends: so do its event streams, within five seconds.
//! - One repository's window is full: its outbox rows are tried again later, those of others go on.
//! - The database is away: requests are answered 503 with a problem document; transitions are handed back and wait in
//!   the stream for as long as it takes.
//! - A pod dies while it removes a repository: every step asks the rows what is left to do, and another pod goes on.
//! - A pod dies before it answers a creating request: what was made is written with the request's key, and the repeat is
//!   answered alike.
//! - A transition arrives twice or out of order: the second has no effect, and a state never moves back.
//!
//! # Invariants
//! - Every route has a line in `api/access.rs` that says who may use it; one without is not answered. A foreign identifier
//!   is a 404.
//! - Every error is a problem document (RFC 9457), panics included.
//! - No request holds more than one mebibyte of body (a delivery of a git host five), and no reader of a stream more than one page of rows;
//!   a stream by itself asks the database nothing.
//! - What is shown to people about failures is written for them; causes go to the log.
//!
//! # To add an operation
//! A line in `api/access.rs`, a pure function in `domain/`, a transaction in the store, a thin handler in `api/`, `UPDATE_GENERATED=1` for the
//! OpenAPI document. The test that walks the document then wants to know what each role is answered.

mod api;
mod bootstrap;
mod canceller;
mod config;
mod connections;
mod domain;
mod handler;
mod identity;
mod live;
mod metrics;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod relay;
mod remover;
mod service;
mod streams;
mod web;

pub use api::{openapi_json, routes};
pub use bootstrap::{
    AdminToken, BootstrapError, SessionKeyError, check_session_keys, ensure_admin_token, generate_session_key,
    generate_token,
};
pub use config::GatewayConfig;
pub use identity::IdentityError;
pub use service::GatewayService;
