//! PostgreSQL with pgvector.

mod place;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::child::{POLL, Supervised, Supervision, spawn_error};
use crate::dir::{OwnedDir, log_tail, stop_leftover, write_private};
use crate::port::free_port;
use crate::{ServerError, Tools};
use place::Place;

/// Recovery after a crash replays the log before the server answers.
const READY_WITHIN: Duration = Duration::from_secs(120);
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How often a start is repeated: another free port, or the last one's backends still leaving.
const ATTEMPTS: usize = 20;
const USER: &str = "caffeine";
const DATABASE: &str = "caffeine";

/// How a PostgreSQL is started.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Where the programs are.
    pub tools: Tools,
    /// Holds the database, the password and the log; created if missing.
    pub data_dir: PathBuf,
    /// Whether a commit is on the disk before it is acknowledged. Only tests do without.
    pub durable: bool,
}

/// A running PostgreSQL with one superuser and one database, both named `caffeine`.
#[derive(Debug)]
pub struct PostgresServer {
    // Before the place: a throw-away place is removed after its server has stopped.
    child: Supervised,
    place: Place,
    options: PostgresOptions,
    dir: OwnedDir,
    port: u16,
    password: String,
}

impl PostgresServer {
    /// Creates the database on the first call, starts the server and waits until it answers.
    ///
    /// # Errors
    /// If the directory is in use, no usable place is found (only as root), a program does not
    /// start, or the server does not answer within two minutes.
    pub async fn start(options: PostgresOptions) -> Result<Self, ServerError> {
        let dir = OwnedDir::take(&options.data_dir)?;
        let place = Place::choose(&options.tools, dir.path(), options.durable)?;
        let cluster = place.home.join("cluster");
        stop_stale(&cluster).await;
        let password = dir.password("password")?;
        if !cluster.exists() {
            create_cluster(&place, &cluster, &password, options.durable)?;
        }
        let (child, port) = launch(&options, &dir, &place, 0).await?;
        Ok(Self { child, place, options, dir, port, password })
    }

    /// The address with user and password, as the store takes it.
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{DATABASE}", self.password, self.port)
    }

    /// The address without the password, for people and logs.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder with the database's files, which as root can lie outside the data directory.
    pub fn cluster_dir(&self) -> PathBuf {
        self.place.home.join("cluster")
    }

    /// The server's process id; of the last process, if it does not run.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.ended().is_none()
    }

    /// Stops the server in good order; open connections are ended.
    pub async fn stop(&mut self) {
        self.child.stop().await;
    }

    /// SIGKILL, for tests of crashes.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Stops the server if it runs and starts it again on the same port and data.
    ///
    /// # Errors
    /// As [`PostgresServer::start`]; also if the port was taken in between.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.child.stop().await;
        let (child, _) = launch(&self.options, &self.dir, &self.place, self.port).await?;
        self.child = child;
        Ok(())
    }
}

fn create_cluster(place: &Place, cluster: &Path, password: &str, durable: bool) -> Result<(), ServerError> {
    // Made beside its final place: what is interrupted half way is not taken for a database.
    let fresh = place.home.join("cluster.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(ServerError::io("remove", &fresh))?;
    }
    let password_file = place.home.join("password.new");
    write_private(&password_file, password)?;
    place.give(&password_file)?;

    let mut initdb = place.command("initdb");
    initdb
        .arg("--pgdata")
        .arg(&fresh)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
        .args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]);
    if !durable {
        initdb.arg("--no-sync");
    }
    let made = run("initdb", &mut initdb, "");
    let _ = fs::remove_file(&password_file);
    made?;

    let mut single = place.command("postgres");
    single.args(["--single", "-D"]).arg(&fresh).arg("template1");
    run("postgres", &mut single, &format!("CREATE DATABASE {DATABASE};\n"))?;
    fs::rename(&fresh, cluster).map_err(ServerError::io("rename", &fresh))
}

/// Runs a program to its end, with a short text on its standard input.
fn run(program: &'static str, command: &mut Command, input: &str) -> Result<(), ServerError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(spawn_error(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended early is reported by its status below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(spawn_error(command))?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    let log = String::from_utf8_lossy(&words).trim().to_owned();
    Err(ServerError::Died { program, status: output.status, log })
}

async fn launch(
    options: &PostgresOptions,
    dir: &OwnedDir,
    place: &Place,
    wanted_port: u16,
) -> Result<(Supervised, u16), ServerError> {
    let cluster = place.home.join("cluster");
    let log = dir.path().join("postgres.log");
    let mut attempt = 1;
    loop {
        let port = if wanted_port == 0 { free_port()? } else { wanted_port };
        let mut command = place.command("postgres");
        command.arg("-D").arg(&cluster).args(["-p", &port.to_string()]);
        for setting in settings(options.durable) {
            command.args(["-c", setting]);
        }
        // SIGINT ends open sessions; SIGTERM would wait for them.
        let how = Supervision { log: &log, stop_signal: "INT", patience: STOP_WITHIN };
        let mut child = Supervised::spawn(&mut command, &how)?;
        match wait_until_ready(&mut child, &cluster, &log).await {
            Ok(()) => return Ok((child, port)),
            Err(ServerError::Died { log, .. }) if attempt < ATTEMPTS && may_go_away(&log, wanted_port == 0) => {
                attempt += 1;
                tokio::time::sleep(POLL * 10).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the reason of a failed start is one that another attempt can find gone.
fn may_go_away(log: &str, port_is_free_to_change: bool) -> bool {
    let backends_are_leaving = log.contains("pre-existing shared memory block");
    let port_is_taken = log.contains("could not bind");
    backends_are_leaving || (port_is_taken && port_is_free_to_change)
}

fn settings(durable: bool) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        // A socket's path may have about 100 bytes, a data directory's more.
        "unix_socket_directories=",
        // All services in one process, or one test process per core, each with its own pool.
        "max_connections=200",
        "timezone=UTC",
        "jit=off",
    ];
    if !durable {
        settings.extend(["fsync=off", "full_page_writes=off", "synchronous_commit=off"]);
    }
    settings
}

async fn wait_until_ready(child: &mut Supervised, cluster: &Path, log: &Path) -> Result<(), ServerError> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Some(status) = child.ended() {
            return Err(ServerError::Died { program: "postgres", status, log: log_tail(log) });
        }
        let is_ready =
            PostmasterPid::read(cluster).is_some_and(|written| written.pid == child.pid() && written.status == "ready");
        if is_ready {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ServerError::NotReady {
                program: "postgres",
                seconds: READY_WITHIN.as_secs(),
                log: log_tail(log),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Stops a server that a killed owner left on these files.
///
/// Its claim on them stays: PostgreSQL finds in it the shared memory that backends of a killed server may still write
/// through. But the process id in it may meanwhile be anybody's, or a zombie's that nobody collects, and PostgreSQL
/// would then refuse to start. It takes its parent's id, ours, for a stale one.
async fn stop_stale(cluster: &Path) {
    let Some(claim) = PostmasterPid::read(cluster) else { return };
    let is_gone = stop_leftover(claim.pid, cluster, "INT", STOP_WITHIN).await;
    let path = cluster.join("postmaster.pid");
    if is_gone && let Ok(text) = fs::read_to_string(&path) {
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        let _ = fs::write(&path, format!("{}\n{rest}", std::process::id()));
    }
}

/// What a running PostgreSQL says about itself in its data directory.
struct PostmasterPid {
    pid: u32,
    status: String,
}

impl PostmasterPid {
    fn read(cluster: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let status = lines.nth(6).unwrap_or_default().trim().to_owned();
        Some(Self { pid, status })
    }
}
