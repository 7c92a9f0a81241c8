//! The chunker's handlers against a real database.
#![expect(clippy::unwrap_used, reason = "a test has no use for an error")]

mod batch;
mod fan_in;
mod fixture;
mod hostile;
mod link;
mod service;
