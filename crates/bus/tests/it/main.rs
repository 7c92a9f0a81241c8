//! The runtime against a real broker: each test has a prefix of its own.

mod cancel;
mod events;
mod failures;
mod fault;
mod fixture;
mod handling;
mod lease;
mod pressure;
mod provisioning;
mod shutdown;
mod trace;
