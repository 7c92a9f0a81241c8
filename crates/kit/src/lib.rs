//! The chassis that every service stands on: configuration, telemetry, clients, health endpoint, shutdown.
//!
//! Purpose: a service's `main` is one line, and an operator who knows one service knows five.
//!
//! Non-goals: no domain code, no HTTP beyond `/livez`, `/readyz` and `/metrics`.
//!
//! Invariants:
//! - A setting comes from its default, the file, or the environment, in this order; what nobody knows is refused.
//! - A service starts only if broker and database are what it was built for: it never creates a stream, a consumer
//!   or a table by itself.
//! - The first signal lets running work finish; the second one ends the process.
//! - Addresses are shown without credentials, and no value of a setting appears in an error.
//!
//! To add a setting that all services share: a field of [`Settings`] with its default, and its name in
//! `config::COMMON`.

mod arguments;
mod collector;
mod config;
mod files;
mod health;
mod inbox;
mod pool;
mod runner;
mod service;
mod signals;
mod telemetry;

pub use caffeine_bus::redact_url;
pub use collector::collect;
pub use config::{ConfigError, Configuration, LogFormat, Settings, section};
pub use files::allow_many_files;
pub use health::{CheckFailure, Health, Starting};
pub use inbox::{store_failure, store_inbox};
pub use runner::{connect, main, run_service};
pub use service::{Clients, Service};
pub use signals::shutdown_on_signals;
pub use telemetry::Telemetry;
