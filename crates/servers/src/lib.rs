//! The servers CaffeineCode needs, run as supervised children of one process: nats-server with
//! JetStream, PostgreSQL with pgvector, and git's own HTTP backend.
//!
//! # Why this crate exists
//! A laptop and a test run have no Docker and no administrator, so the all-in-one binary and the
//! tests start the real servers themselves, from the programs `make setup` puts into `.tools/`.
//! Both use this crate; nothing else does. In an installation with servers of its own
//! (`CAFFEINE_NATS_URL`, `CAFFEINE_DATABASE_URL`) nothing here runs.
//!
//! # Not its job
//! It knows neither the stage table nor the schema: streams are provisioned and migrations applied
//! by whoever asked for the servers. It is no process manager: a server that dies is reported by
//! the next call, not restarted behind its user's back.
//!
//! # Invariants
//! - Every server listens on loopback only, on a free port, and demands a password that was
//!   generated on the first start and lies in a file only its owner can read.
//! - A server does not outlive the process that started it, however that process ends: on drop it
//!   is asked to stop and waited for; after a `SIGKILL` of the owner a small guardian process asks
//!   it (see `child`); and the next start on the same data stops what is left of both.
//! - One data directory has one owner at a time, kept by a lock on a file in it.
//! - PostgreSQL never runs as root and never needs root. Started by root it becomes an
//!   unprivileged user, and the place of its files is chosen so that this user reaches them
//!   (see `postgres::place`).
//!
//! # One more server
//! Write its configuration to the data directory, start it through `child::Supervised`, poll until
//! it answers, and give it the same `start`, `stop`, `kill` and `restart`.

mod child;
mod dir;
mod error;
pub mod git_http;
pub mod nats;
mod port;
pub mod postgres;
mod tools;

pub use error::ServerError;
pub use port::free_port;
pub use tools::Tools;
