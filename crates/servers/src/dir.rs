//! A server's data directory: who owns it, its secrets, and what a killed owner left behind.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ServerError;
use crate::child::{POLL, signal};

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct OwnedDir {
    path: PathBuf,
    /// The system gives the lock back when the file is closed, also by a crash.
    _lock: File,
}

impl OwnedDir {
    /// Creates the directory if needed and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, ServerError> {
        let absolute = std::path::absolute(path).map_err(ServerError::io("resolve", path))?;
        fs::create_dir_all(&absolute).map_err(ServerError::io("create", &absolute))?;
        let lock_path = absolute.join("lock");
        let lock = File::create(&lock_path).map_err(ServerError::io("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: absolute, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ServerError::InUse { path: absolute }),
            Err(TryLockError::Error(source)) => Err(ServerError::Io { action: "lock", path: lock_path, source }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The password in the named file, generated on the first call.
    pub(crate) fn password(&self, name: &str) -> Result<String, ServerError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(ServerError::io("read", &path)(error)),
        }
        let password = random_hex::<24>();
        write_private(&path, &password)?;
        Ok(password)
    }
}

/// Random bytes of the system as hexadecimal text.
pub(crate) fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).expect("the system has a random source; without one nothing here is safe");
    hex::encode(bytes)
}

/// Writes a file that only its owner can read, whatever it was before.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), ServerError> {
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(ServerError::io("write", path))
}

/// The end of a log, for an error message.
pub(crate) fn log_tail(path: &Path) -> String {
    const KEPT: u64 = 2_000;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Stops the process `pid` if it is a leftover of ours, that is, if its command line names
/// `witness` (a path inside the data directory nobody else has a reason to name).
///
/// We hold the directory's lock, so a live owner cannot be the victim. Returns whether no such process is left.
pub(crate) async fn stop_leftover(pid: u32, witness: &Path, stop_signal: &str, patience: Duration) -> bool {
    let is_ours = || command_line(pid).is_some_and(|line| line.contains(&*witness.to_string_lossy()));
    if !is_ours() {
        return true;
    }
    tracing::warn!(pid, "stop a server that a killed process left behind");
    signal(pid, stop_signal);
    let deadline = Instant::now() + patience;
    while is_ours() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
    if is_ours() {
        signal(pid, "KILL");
        while is_ours() && Instant::now() < deadline + Duration::from_secs(5) {
            tokio::time::sleep(POLL).await;
        }
    }
    !is_ours()
}

/// The arguments of a running process; `None` if there is no such process.
fn command_line(pid: u32) -> Option<String> {
    if Path::new("/proc/self").exists() {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned());
    }
    let output = Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner() {
        let place = tempfile::tempdir().expect("temporary folder");
        let first = OwnedDir::take(place.path()).expect("free");
        assert!(matches!(OwnedDir::take(place.path()), Err(ServerError::InUse { .. })));
        drop(first);
        OwnedDir::take(place.path()).expect("free again");
    }

    #[test]
    fn a_password_is_long_kept_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().expect("temporary folder");
        let dir = OwnedDir::take(place.path()).expect("free");
        let password = dir.password("password").expect("generated");
        assert_eq!(password.len(), 48);
        assert_eq!(dir.password("password").expect("kept"), password);
        assert_ne!(dir.password("other").expect("generated"), password);
        let mode = fs::metadata(place.path().join("password")).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
