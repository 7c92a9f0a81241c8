//! One supervised child process.
//!
//! Signals and death-of-parent notice need system calls that std offers only as SIGKILL, and this
//! project forbids unsafe code. A guardian takes their place: a shell that waits for the end of a
//! pipe we hold and then sends the child its stop signal. Closing the pipe is how we ask for a
//! stop; the kernel closes it as well when we die, even by SIGKILL. Both processes are in groups of
//! their own, so that a Ctrl-C at the terminal reaches us alone and we decide the order of things.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::ServerError;

/// How often a condition is looked at again while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// `$1` is the signal, `$2` the child. A line is our word that the child is gone already.
const GUARDIAN: &str = r#"trap '' HUP INT TERM; read -r word || word=; [ -n "$word" ] || kill -s "$1" "$2""#;

/// A running server; asked to stop and waited for when dropped.
#[derive(Debug)]
pub(crate) struct Supervised {
    child: Child,
    guardian: Child,
    ended: Option<ExitStatus>,
    patience: Duration,
}

/// How a child is started and stopped.
pub(crate) struct Supervision<'a> {
    /// Receives what the child prints.
    pub(crate) log: &'a Path,
    /// What asks it to stop, as `kill -s` takes it.
    pub(crate) stop_signal: &'static str,
    /// How long it may take to stop before it is killed.
    pub(crate) patience: Duration,
}

impl Supervised {
    /// Starts the command with its output in the log and a guardian beside it.
    pub(crate) fn spawn(command: &mut Command, how: &Supervision<'_>) -> Result<Self, ServerError> {
        let log = File::create(how.log).map_err(ServerError::io("create", how.log))?;
        let also_log = log.try_clone().map_err(ServerError::io("create", how.log))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also_log)
            .process_group(0)
            .spawn()
            .map_err(spawn_error(command))?;
        let mut guard = Command::new("sh");
        guard
            .args(["-c", GUARDIAN, "guardian", how.stop_signal, &child.id().to_string()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        match guard.spawn() {
            Ok(guardian) => Ok(Self { child, guardian, ended: None, patience: how.patience }),
            Err(source) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(spawn_error(&guard)(source))
            }
        }
    }

    /// The child's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the child ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some(status);
            // Its id may be given to another process from now on.
            self.dismiss_guardian();
        }
        self.ended
    }

    /// SIGKILL, as a crash would be; the child is gone when this returns.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        if let Ok(status) = self.child.wait() {
            self.ended = Some(status);
        }
        self.dismiss_guardian();
    }

    /// Asks the child to stop and waits for it; kills it when its patience is over.
    pub(crate) async fn stop(&mut self) {
        let deadline = self.ask_to_stop();
        while self.ended().is_none() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        self.kill_if_alive();
    }

    fn ask_to_stop(&mut self) -> Instant {
        if self.ended().is_none() {
            drop(self.guardian.stdin.take());
            let _ = self.guardian.wait();
        }
        Instant::now() + self.patience
    }

    fn kill_if_alive(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }

    fn dismiss_guardian(&mut self) {
        if let Some(mut pipe) = self.guardian.stdin.take() {
            let _ = pipe.write_all(b"gone\n");
        }
        let _ = self.guardian.wait();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let deadline = self.ask_to_stop();
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        self.kill_if_alive();
    }
}

/// For `map_err`: names the program that could not be started.
pub(crate) fn spawn_error(command: &Command) -> impl FnOnce(std::io::Error) -> ServerError {
    let program = command.get_program().to_string_lossy().into_owned();
    move |source| ServerError::Spawn { program, source }
}

/// Sends a signal to a process that is not our child.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s "$1" "$2""#, "signal", name, &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
