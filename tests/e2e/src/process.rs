//! One service as a child process that is started again when it dies.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a child is looked at, and how soon it is started again.
const PAUSE: Duration = Duration::from_millis(20);

/// What runs, and how.
#[derive(Debug, Clone)]
pub struct ServiceCommand {
    /// The program and its arguments.
    pub line: Vec<String>,
    /// Its environment, beside this process's own.
    pub variables: Vec<(String, String)>,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A supervised child process. Dropping it ends it.
pub struct ServiceProcess {
    stop: Arc<AtomicBool>,
    starts: Arc<AtomicU32>,
    pid: Arc<AtomicU32>,
    log: PathBuf,
    supervisor: Option<JoinHandle<()>>,
}

impl ServiceProcess {
    /// Starts `<target>/<name>` with these variables and starts it again whenever it ends. Output goes to `log`.
    #[must_use]
    pub fn start(name: &str, variables: Vec<(String, String)>, log: &Path) -> Self {
        Self::supervise(ServiceCommand {
            line: vec![program(name).display().to_string()],
            variables,
            log: log.join(format!("{name}.log")),
        })
    }

    /// Starts a command and starts it again whenever it ends.
    #[must_use]
    pub fn supervise(command: ServiceCommand) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let starts = Arc::new(AtomicU32::new(0));
        let pid = Arc::new(AtomicU32::new(0));
        let log = command.log.clone();
        let (stopping, counter, current) = (stop.clone(), starts.clone(), pid.clone());
        let supervisor = std::thread::spawn(move || {
            while !stopping.load(Ordering::SeqCst) {
                let mut child = spawn(&command);
                current.store(child.id(), Ordering::SeqCst);
                counter.fetch_add(1, Ordering::SeqCst);
                wait(&mut child, &stopping);
                // One that cannot start at all must not take a processor.
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, starts, pid, log, supervisor: Some(supervisor) }
    }

    /// The id of the running process, or of the last one.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::SeqCst)
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The same for somebody who looks while this value is in use elsewhere.
    #[must_use]
    pub fn shared_pid(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.pid)
    }

    /// Sends the running process a signal, as `kill -s` takes it.
    ///
    /// # Panics
    /// If there is no such process.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// How often the program has been started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.starts.load(Ordering::SeqCst)
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

/// Waits for the end of the child, or ends it when asked to stop. A child is polled because the standard library has
/// no wait with a deadline.
fn wait(child: &mut Child, stopping: &AtomicBool) {
    loop {
        if child.try_wait().expect("a child of this process can be waited for").is_some() {
            return;
        }
        if stopping.load(Ordering::SeqCst) {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

fn spawn(command: &ServiceCommand) -> Child {
    let log = &command.log;
    let output = std::fs::File::options().create(true).append(true).open(log).expect("the log file can be opened");
    let errors = output.try_clone().expect("a file handle can be cloned");
    let (program, arguments) = command.line.split_first().expect("a command has a program");
    Command::new(program)
        .args(arguments)
        .envs(command.variables.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} starts: {error}; `make test` builds it"))
}

/// What a service said that could not start.
#[derive(Debug)]
pub struct Refusal {
    /// Whether it ended as if nothing were wrong.
    pub success: bool,
    /// Its log.
    pub said: String,
    /// From its first line to its end. How long a debug program needs until then is the machine's affair.
    pub took: Duration,
}

/// Runs a service that is to end by itself.
///
/// # Panics
/// If it cannot be started or read.
#[must_use]
pub fn refusal(command: &mut Command) -> Refusal {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} starts: {error}; `make test` builds it"));
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut said = String::new();
    log.read_line(&mut said).expect("a log is text");
    let first = Instant::now();
    log.read_to_string(&mut said).expect("a log is text");
    let status = child.wait().expect("a child can be waited for");
    Refusal { success: status.success(), said, took: first.elapsed() }
}

/// Sends a process a signal, as `kill -s` takes it.
///
/// # Panics
/// If there is no such process.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "process {pid} takes {name}");
}

/// `target/<profile>/<name>`, beside the folder of the test binary.
///
/// # Panics
/// If this is not called from a test binary.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let profile = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    profile.join(name)
}
