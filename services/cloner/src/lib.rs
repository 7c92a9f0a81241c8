//! The cloner: from the address of a repository to its files on the bus.
//!
//! # Consumes
//! - `clone.requested`: a run begins. One commit is pinned, the whole plan (what the commit contains and which files
//!   have to travel) is written before anything is published, and the files are streamed in batches.
//! - `clone.probe`: can this address be read?
//!
//! # Produces
//! - `files.batch` × N, then `files.listed` and `chunks.listed` with N;
//! - the transitions *clone started*, *planned* and *cloned*, progress in batches, and `ProbeAnswered` events.
//!
//! # Tables written
//! `snapshots`, `snapshot_files`, `clone_runs` and `clone_inbox`. It reads `credentials`.
//!
//! # Failure behaviour
//! - An address that is refused, a repository that does not exist, is private or is not git, a missing branch, a
//!   commit the host no longer gives away: the run fails at once, with a sentence that says what to do.
//! - A credential that is gone, sealed to another key, for another host, or not accepted: the run fails at once.
//! - A host that cannot be reached: a few attempts, then the run fails.
//! - A mirror on this pod's disk that is gone or broken: it is only a cache; it is fetched again by commit id.
//! - A file that cannot travel (too large, symlink, submodule, path that breaks the rules): listed with the reason.
//! - Delivered twice, or killed anywhere: the plan of the first time is replayed; the difference to what is known is
//!   never computed again.
//!
//! - A repository is deleted: every pod removes its mirror, unless another repository has the same address; at its
//!   start a pod removes all mirrors that the database does not know.
//!
//! # Invariants
//! - Nothing is ever checked out; a path of the repository is a string, never opened on a disk.
//! - Only http, https and (with a deploy key) ssh are spoken, to addresses that were checked when the connection was
//!   made and stay the same for the whole job; redirects are followed by hand, each hop checked.
//! - A credential is opened here and nowhere else, shown to the one host it was sealed for, over TLS or ssh, and is in no
//!   error, log line, row, message or mirror. Only ssh needs its key as a file, for the seconds until it has signed in.
//! - Everything foreign is bounded: bytes on the wire, time, size of an object, entries, depth, length of a path.
//! - A repository without commits is a run with no files; its commit is twenty zero bytes and its tree git's empty
//!   one.
//! - One job at a time uses a mirror.

mod config;
mod error;
mod fetcher;
mod handlers;
mod keeper;
mod messages;
mod metrics;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod service;
mod vault;

pub mod mirror;
pub mod plan;
pub mod source;

pub use config::ClonerConfig;
pub use error::CloneError;
pub use fetcher::{Fetcher, Obtained, Source};
pub use service::ClonerService;
pub use vault::Vault;
