//! The whole system: five processes, real servers, real git over HTTP.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests panic as tests do; the lint only knows functions marked as tests"
)]

mod bad_input;
mod bombs;
mod cancel;
mod chaos;
mod delete;
mod dlq;
#[path = "../faults/mod.rs"]
mod faults;
mod fixture;
#[path = "../streams/mod.rs"]
mod followed;
mod identities;
mod incremental;
mod kills;
mod letters;
mod messages_api;
mod odd;
mod secrets;
mod streams;
mod tracing;
mod undisturbed;
mod unwelcome;
