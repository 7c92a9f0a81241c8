//! The chassis that every service stands on: configuration, telemetry, clients, health endpoint, shutdown.
//!
//! Purpose: a service's `main` is one line, and an operator who knows one service knows five.
//!
//! Non-goals: no domain code, no HTTP beyond `/livez`, `/readyz` and `/metrics`.

mod inbox;
mod service;

pub use inbox::{store_failure, store_inbox};
pub use service::{Clients, Service};
