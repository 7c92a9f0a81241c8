//! The runtime against a real broker: each test has a prefix of its own.

#![expect(clippy::unwrap_used, reason = "fixtures panic like tests do; clippy only knows functions marked as tests")]

mod cancel;
mod events;
mod failures;
mod fault;
mod fixture;
mod handling;
mod housekeeping;
mod lease;
mod outage;
mod pressure;
mod provisioning;
mod shutdown;
mod trace;
mod traps;
mod users;
mod versions;
