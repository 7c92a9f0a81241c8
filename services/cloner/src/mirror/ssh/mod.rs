//! Git over the `ssh` program.
//!
//! The program is started here and not by git's own code: so its arguments are a list and no shell command, it sees no
//! environment and no configuration but ours, its words do not go to our log, every byte is counted, and it can be
//! ended from outside.

mod command;
mod key_folder;

use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use caffeine_model::SshAddress;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;

use super::guard::Guard;
use crate::CloneError;
use crate::source::{DeployKey, not_accepted};

pub(crate) use key_folder::KeyFolder;

/// As much of ssh's own words is kept.
const MAX_WORDS: u64 = 8 * 1024;
/// How long a connection that failed may take to end by itself.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running ssh.
pub(super) struct Ssh<'a> {
    address: &'a SshAddress,
    child: Arc<Mutex<Child>>,
    /// Collects what ssh says; ends with it.
    words: Option<JoinHandle<Vec<u8>>>,
    guard: &'a Guard,
}

/// What the other side's git writes.
pub(super) struct Pipe<'a> {
    stdout: ChildStdout,
    guard: &'a Guard,
    /// The key on the disk: removed as soon as the other side's git has spoken, because then ssh has signed in.
    key: Option<KeyFolder>,
}

/// Starts ssh and returns the transport that speaks through it.
///
/// # Errors
/// A sentence for a person if ssh cannot be started, [`CloneError::Damaged`] if the disk refuses.
pub(super) fn connect<'a>(
    address: &'a SshAddress,
    ip: IpAddr,
    key: DeployKey<'_>,
    scratch: &Path,
    guard: &'a Guard,
) -> Result<(Ssh<'a>, Connection<Pipe<'a>, ChildStdin>), CloneError> {
    let key = KeyFolder::write(scratch, key).map_err(|error| super::disk("write the deploy key", &error))?;
    let mut child = command::command(address, ip, &key).spawn().map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::NotFound { "install openssh-client" } else { "look at its log" };
        CloneError::refused(
            "no_ssh",
            format!("The cloner cannot run the program `ssh` ({}): ask the operator to {hint}", error.kind()),
        )
    })?;
    let missing = || CloneError::Damaged { problem: "a pipe that was asked for is missing".to_owned() };
    let stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let mut stderr = child.stderr.take().ok_or_else(missing)?;
    let words = std::thread::spawn(move || {
        let mut words = Vec::new();
        // The rest is read as well, or ssh would wait for somebody to read it.
        let _ = stderr.by_ref().take(MAX_WORDS).read_to_end(&mut words);
        let _ = io::copy(&mut stderr, &mut io::sink());
        words
    });
    let child = Arc::new(Mutex::new(child));
    let killed = Arc::clone(&child);
    guard.on_stop(move || {
        let _ = killed.lock().unwrap_or_else(PoisonError::into_inner).kill();
    });
    let pipe = Pipe { stdout, guard, key: Some(key) };
    let connection = Connection::new(
        pipe,
        stdin,
        Protocol::V2,
        address.path(),
        None::<(String, Option<u16>)>,
        ConnectMode::Process,
        false,
    )
    .custom_url(Some(address.to_string().into()));
    Ok((Ssh { address, child, words: Some(words), guard }, connection))
}

impl Ssh<'_> {
    /// Ends ssh, and turns its words into a sentence if they tell why it failed. Its words may repeat anything the host
    /// sent: they are looked at, never shown.
    pub(super) fn explain(&mut self) -> Option<CloneError> {
        self.wait();
        self.end();
        let words = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        let address = self.address;
        if has(&["host key verification failed", "remote host identification has changed", "no matching host key"]) {
            return Some(CloneError::refused(
                "host_key_unknown",
                format!(
                    "The key that {} shows is not among the credential's `known_hosts`: if the host has a new key, \
                     replace the credential",
                    address.host_port()
                ),
            ));
        }
        if has(&["permission denied", "too many authentication failures", "error in libcrypto", "invalid format"]) {
            return Some(not_accepted(address));
        }
        if has(&["does not appear to be a git repository", "repository not found", "not found", "no such file"]) {
            return Some(CloneError::refused(
                "not_found",
                format!("There is no repository at {address} for this key: check the address for a typing error"),
            ));
        }
        if has(&["connection refused", "timed out", "no route", "unreachable", "connection closed", "connection reset"])
        {
            return Some(CloneError::unreachable(format!(
                "The host {} cannot be reached over ssh: check the address, or try again when the host is up",
                address.host_port()
            )));
        }
        None
    }

    /// Gives ssh a moment to say why it ends.
    fn wait(&self) {
        let until = Instant::now() + LAST_WORDS;
        while Instant::now() < until && self.guard.check().is_ok() {
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait();
            if !matches!(ended, Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Ssh<'_> {
    fn drop(&mut self) {
        self.end();
        self.guard.on_stop(|| {});
    }
}

impl io::Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.guard.check()?;
        let amount = self.stdout.read(buffer)?;
        self.key = None;
        self.guard.count(amount);
        Ok(amount)
    }
}
