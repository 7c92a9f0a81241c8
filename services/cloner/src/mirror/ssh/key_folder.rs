//! The deploy key on the disk: ssh takes keys from files only. It lies there for the seconds until ssh has signed in.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::source::DeployKey;

const LOCK: &str = "lock";
const PRIVATE_KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";

/// A folder that only this user can look into; removed when dropped.
pub(crate) struct KeyFolder {
    path: PathBuf,
    /// Held as long as the folder is used: what a killed process left is not.
    _lock: File,
}

impl KeyFolder {
    /// Writes a key and the host's keys below `scratch`.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn write(scratch: &Path, key: DeployKey<'_>) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(scratch)?;
        let path = scratch.join(caffeine_model::CredentialId::generate().to_string());
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = private(&path.join(LOCK))?;
        lock.try_lock().map_err(io::Error::other)?;
        let folder = Self { path, _lock: lock };
        private(&folder.private_key())?.write_all(key.private_key.as_bytes())?;
        private(&folder.known_hosts())?.write_all(key.known_hosts.as_bytes())?;
        Ok(folder)
    }

    pub(super) fn private_key(&self) -> PathBuf {
        self.path.join(PRIVATE_KEY)
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.path.join(KNOWN_HOSTS)
    }

    /// Removes what killed processes left below `scratch`.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn clean(scratch: &Path) -> io::Result<()> {
        let entries = match std::fs::read_dir(scratch) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Ok(lock) = File::open(path.join(LOCK)) else { continue };
            if lock.try_lock().is_ok() {
                std::fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}

impl Drop for KeyFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::error!(error = %error, "a deploy key stays on the disk until the next start");
        }
    }
}

fn private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::KeyFolder;
    use crate::source::DeployKey;

    const KEY: DeployKey<'_> = DeployKey { private_key: "s3cret", known_hosts: "h" };

    #[test]
    fn only_the_owner_reads_it_and_it_goes_away() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = KeyFolder::write(scratch.path(), KEY).unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.path), mode(&folder.private_key())), (0o700, 0o600));
        assert_eq!(std::fs::read_to_string(folder.private_key()).unwrap(), "s3cret");
        drop(folder);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_used_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        KeyFolder::clean(&scratch.path().join("nothing")).unwrap();
        let used = KeyFolder::write(scratch.path(), KEY).unwrap();
        let left = scratch.path().join("left");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("lock"), "").unwrap();
        std::fs::write(left.join("key"), "s3cret").unwrap();
        KeyFolder::clean(scratch.path()).unwrap();
        assert!(!left.exists());
        assert!(used.private_key().exists());
    }
}
