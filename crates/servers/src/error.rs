//! What can go wrong when a server is started, in words for the person at the terminal.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a server could not be started or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The programs of `make setup` were not found.
    #[error(
        "no servers found in {looked}: run `make setup` in the checkout, or set CAFFEINE_NATS_URL and CAFFEINE_DATABASE_URL to servers of your own"
    )]
    NoTools {
        /// The places that were looked at.
        looked: String,
    },
    /// A file or directory could not be used.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried, as a bare verb.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("start {program}")]
    Spawn {
        /// The program's file.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A server, or the program that prepares its files, ended at once.
    #[error("{program} ended while starting ({status}); its last words:\n{log}")]
    Died {
        /// The server's name.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        log: String,
    },
    /// A server runs but does not answer.
    #[error("{program} was not ready after {seconds} s; its last words:\n{log}")]
    NotReady {
        /// The server's name.
        program: &'static str,
        /// How long it was given.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// The data directory has another live owner.
    #[error("{} is in use by another running process", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The data was put elsewhere, and that place is gone.
    #[error(
        "the database of {} was kept in {}, which is gone: restore it, or delete the first to begin anew",
        data_dir.display(), place.display()
    )]
    PlaceGone {
        /// The data directory that was asked for.
        data_dir: PathBuf,
        /// Where the files were.
        place: PathBuf,
    },
    /// PostgreSQL may not run as root, and its unprivileged user reaches no place for its files.
    #[error(
        "PostgreSQL does not run as root, and no directory was found that an unprivileged user can use (tried {tried}): run as an ordinary user, or set CAFFEINE_DATABASE_URL"
    )]
    NoPlace {
        /// The directories that were tried.
        tried: String,
    },
}

impl ServerError {
    /// For `map_err`: wraps a system error with what was tried on which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
