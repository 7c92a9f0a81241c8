//! What tests of every crate share: a database and a subject prefix of their own, real git
//! repositories, and waiting for a condition.
//!
//! # How it is used
//! `make test` starts one nats-server and one PostgreSQL for the whole run and names them in
//! `CAFFEINE_NATS_URL` and `CAFFEINE_DATABASE_URL`. A test takes its own part of them:
//!
//! - [`TestDatabase`]: a copy of a template that has all migrations, dropped at the end;
//! - [`TestBus`]: a connection and a prefix for subjects, whose streams are deleted at the end;
//! - [`git::GitFixture`]: a repository built from paths and bytes, served over HTTP on request;
//! - [`canonical_dump`]: everything a run led to, in a form two runs can be compared by;
//! - [`eventually`]: polls a condition until a deadline, because nothing here sleeps and hopes.
//!
//! # Not its job
//! It knows no message and no service, so that it can stand below all of them; of the tables it knows the names that
//! the dump reads.
//!
//! # Invariants
//! - Tests share nothing: any number of them run at the same time, in any number of processes,
//!   against the same two servers.
//! - Everything panics with a sentence instead of returning an error: a test has no use for one.
//!   Nothing panics while a panic is already under way.
//! - The same paths and bytes give the same commit ids on every machine.
#![expect(
    clippy::missing_panics_doc,
    reason = "every function here panics when its test cannot go on; that is what it is for"
)]

mod bus;
mod cleanup;
mod database;
mod dump;
mod eventually;
pub mod git;
mod rows;
mod tls;

pub use bus::TestBus;
pub use caffeine_servers::free_port;
pub use database::TestDatabase;
pub use dump::canonical_dump;
pub use eventually::{eventually, eventually_some};
pub use rows::{all_rows, repository_rows};
pub use tls::TlsFront;

/// The value of a variable that `make test` sets.
fn server_url(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: this test needs the servers that `make test` starts"))
}

/// Eight random hexadecimal digits.
fn random_name() -> String {
    let mut bytes = [0_u8; 4];
    getrandom::fill(&mut bytes).expect("the system has a random source");
    hex::encode(bytes)
}
