//! The store against a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "fixtures panic like tests do; clippy only knows functions marked as tests")]

mod plans;
mod roles;
mod statements;
