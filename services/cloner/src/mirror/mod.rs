//! Bare mirrors of repositories on the pod's own disk: a cache that may vanish at any time.
//!
//! Invariants:
//! - A mirror belongs to one workspace and one address; it is never shared between workspaces.
//! - Whoever uses a mirror holds the lock on the file beside it, across processes; the lock file is never removed.
//! - No configuration but our own is read, nothing is ever checked out, and no program runs because of what a
//!   repository contains.

mod evict;
mod fetch;
mod guard;
mod http;
mod keep;
mod list;
mod read;
mod ssh;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use caffeine_model::WorkspaceId;

use crate::CloneError;
use crate::source::Location;

pub(crate) use evict::evict;
pub use fetch::{Endpoint, Fetched, Want};
pub use guard::Guard;
pub(crate) use keep::keep_only;
#[cfg(any(test, fuzzing))]
pub(crate) use list::readable_paths;
pub use list::{ListLimits, Listed, Listing, SkipReason};
pub use read::{BlobReader, Blobs};
pub(crate) use ssh::KeyFolder;

/// More packs than this, and the mirror is made anew: nothing here packs them together.
const MAX_PACKS: usize = 20;

/// A mirror with its lock. Blocking: use it on a thread that may block.
#[derive(Debug)]
pub struct Mirror {
    folder: PathBuf,
    /// For deploy keys while they are used.
    scratch: PathBuf,
    max_object_bytes: u64,
    /// Held until this value is dropped.
    _lock: File,
}

impl Mirror {
    /// Takes the mirror of an address. Nothing is fetched yet; the folder need not exist.
    ///
    /// # Errors
    /// [`CloneError::Busy`] if somebody else has it; [`CloneError::Damaged`] if the disk refuses.
    pub fn take(
        data_dir: &Path,
        workspace: WorkspaceId,
        address: &Location,
        max_object_bytes: u64,
    ) -> Result<Self, CloneError> {
        let mirrors = mirrors(data_dir);
        let name = mirror_name(workspace, address);
        std::fs::create_dir_all(&mirrors).map_err(|error| disk("make the folder of mirrors", &error))?;
        let lock = lock(&mirrors, &name)?;
        evict::touch(&lock).map_err(|error| disk("note the use of a mirror", &error))?;
        let mirror = Self { folder: mirrors.join(name), scratch: scratch(data_dir), max_object_bytes, _lock: lock };
        if mirror.packs() > MAX_PACKS {
            mirror.discard()?;
        }
        mirror.tidy()?;
        Ok(mirror)
    }

    /// Removes everything that was fetched; the next fetch begins anew.
    ///
    /// # Errors
    /// [`CloneError::Damaged`] if the disk refuses.
    pub fn discard(&self) -> Result<(), CloneError> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk("remove a mirror", &error)),
            _ => Ok(()),
        }
    }

    fn exists(&self) -> bool {
        self.folder.join("HEAD").exists()
    }

    /// Removes what a killed process left behind: nobody else is here, so every lock and every half pack is stale.
    fn tidy(&self) -> Result<(), CloneError> {
        for folder in ["", "refs/caffeine", "objects/pack"] {
            let Ok(entries) = std::fs::read_dir(self.folder.join(folder)) else { continue };
            for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
                let is = |kind: &str| path.extension().is_some_and(|extension| extension == kind);
                let half = folder == "objects/pack" && !(is("pack") || is("idx"));
                if half || is("lock") {
                    std::fs::remove_file(&path).map_err(|error| disk("tidy a mirror", &error))?;
                }
            }
        }
        Ok(())
    }

    fn packs(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(self.folder.join("objects/pack")) else { return 0 };
        entries.flatten().filter(|entry| entry.path().extension().is_some_and(|kind| kind == "pack")).count()
    }

    /// Opens the mirror, or makes an empty one. No object larger than `max_object_bytes` is ever held in memory: such
    /// a pack is refused when it arrives, so nothing smaller can be built on one either.
    fn open(&self) -> Result<gix::Repository, CloneError> {
        let options =
            gix::open::Options::isolated().with(gix::sec::Trust::Full).open_path_as_is(true).config_overrides([
                format!("gitoxide.objects.allocLimit={}", self.max_object_bytes),
                "http.followRedirects=false".to_owned(),
                "gc.auto=0".to_owned(),
                "pack.threads=1".to_owned(),
            ]);
        let opened = if self.exists() {
            gix::ThreadSafeRepository::open_opts(&self.folder, options)
        } else {
            self.discard()?;
            gix::ThreadSafeRepository::init_opts(
                &self.folder,
                gix::create::Kind::Bare,
                gix::create::Options::default(),
                options,
            )
        };
        opened.map(|repository| repository.to_thread_local()).map_err(|error| damaged("open the mirror", &error))
    }
}

/// Where deploy keys lie while they are used.
pub(crate) fn scratch(data_dir: &Path) -> PathBuf {
    data_dir.join("keys")
}

/// The folder of all mirrors.
fn mirrors(data_dir: &Path) -> PathBuf {
    data_dir.join("mirrors")
}

/// Takes the lock of a mirror, if nobody has it.
fn lock(mirrors: &Path, name: &str) -> Result<File, CloneError> {
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(mirrors.join(format!("{name}.lock")))
        .map_err(|error| disk("open the lock of a mirror", &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(CloneError::Busy),
        Err(TryLockError::Error(error)) => Err(disk("lock a mirror", &error)),
    }
}

/// The folder's name: an address of another workspace is another mirror.
fn mirror_name(workspace: WorkspaceId, address: &Location) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("caffeine 2026 mirror");
    hasher.update(workspace.as_uuid().as_bytes());
    hasher.update(address.to_string().as_bytes());
    hasher.finalize().to_hex().to_string()
}

fn disk(action: &str, error: &std::io::Error) -> CloneError {
    CloneError::Damaged { problem: format!("{action}: {error}") }
}

fn damaged(action: &str, error: &(dyn std::error::Error + 'static)) -> CloneError {
    CloneError::Damaged { problem: format!("{action}: {}", chain(error)) }
}

/// An error and all its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
