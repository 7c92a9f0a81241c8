//! All SQL of the system.
//!
//! Purpose: each service has a module here and finds in it whole transactions as functions: what a handler stores
//! becomes visible at once or not at all, together with its outcome in the service's inbox.
//!
//! Non-goals: no domain rules (they live in the services), no second database behind a trait.
//!
//! Invariants:
//! - One writer per table: a module writes only its own tables and reads only what [`TABLES`] says. Each service has a
//!   role in the database with these rights alone.
//! - Every statement is checked against the schema when the crate is compiled; the answers are in `.sqlx/`, so a build
//!   needs no database. `make generate` renews them.
//! - Every function takes or finds the workspace; a foreign id looks like an absent one.
//! - This is the only crate that uses `sqlx`.
//!
//! To add a table: a new file in `migrations/` (forward only), its row in [`TABLES`], functions in its owner's module,
//! `make generate`.

pub mod chunker;
pub mod cloner;
mod collection;
mod copy;
pub mod doc_writer;
pub mod embedder;
mod error;
pub mod fan_in;
pub mod gateway;
mod housekeeper;
mod inbox;
mod passages;
mod pool;
mod roles;
mod tables;

pub use error::StoreError;
pub use housekeeper::SilentRun;
pub use inbox::{InboxEntry, InboxTable};
pub use passages::{PassageName, PassageQuery, PassageRow};
pub use pool::{MigrationStatus, Store};
pub use roles::RoleError;
pub use tables::{TABLES, TableSpec};
