//! The whole system as separate processes, for tests that kill them.
//!
//! Purpose: [`Stack`] starts the five services' binaries against a database and a subject prefix of its own, restarts
//! what dies, and talks to the gateway as a client would.
//!
//! Non-goals: anything one crate can test by itself.

mod api;
mod identities;
mod process;
mod stack;

pub use api::Api;
pub use process::{Refusal, ServiceCommand, ServiceProcess, program, refusal, signal};
pub use stack::{SERVICES, Stack, StackOptions};
