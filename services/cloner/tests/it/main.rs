//! Tests of the cloner against a real git server and a real database.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests panic as tests do; the lint only knows functions marked as tests"
)]

mod bad_input;
mod fetching;
mod hostile;
mod mirrors;
mod names;
mod planning;
mod private;
mod service;
mod ssh;
mod sshd;
mod support;
