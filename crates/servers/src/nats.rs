//! nats-server with JetStream on files.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::child::{POLL, Supervised, Supervision};
use crate::dir::{OwnedDir, log_tail, random_hex, stop_leftover, write_private};
use crate::port::free_port;
use crate::{ServerError, Tools};

/// The largest message, as the contract assumes it.
const MAX_PAYLOAD_BYTES: u64 = 1024 * 1024;
/// Streams on file are recovered before the server answers, so a large store takes its time.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How often another free port is tried when somebody else took the first.
const PORT_ATTEMPTS: usize = 5;
const USER: &str = "caffeine";

/// How a nats-server is started.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Where the program is.
    pub tools: Tools,
    /// Holds streams, configuration, password and log; created if missing.
    pub data_dir: PathBuf,
    /// The port on loopback; 0 takes a free one.
    pub port: u16,
    /// The sum of what all file streams may reserve, in bytes; streams in memory may reserve an
    /// eighth of it.
    pub max_store_bytes: u64,
    /// Whether a write is on the disk before it is acknowledged. Only tests do without.
    pub sync_always: bool,
    /// Whether the monitoring endpoint is open, on a free port on loopback. It asks for no
    /// password and shows names and numbers of everything.
    pub monitor: bool,
}

/// A running nats-server.
#[derive(Debug)]
pub struct NatsServer {
    child: Supervised,
    options: NatsOptions,
    dir: OwnedDir,
    port: u16,
    monitor_port: Option<u16>,
    access: Access,
}

/// Who may connect.
#[derive(Debug)]
enum Access {
    /// One user with a generated password, who may do everything.
    Password(String),
    /// What the caller says.
    Accounts(serde_json::Value),
}

impl NatsServer {
    /// Starts the server and waits until it answers with JetStream recovered.
    ///
    /// # Errors
    /// If the directory is in use, the program does not start, or it does not answer within a
    /// minute.
    pub async fn start(options: NatsOptions) -> Result<Self, ServerError> {
        let dir = OwnedDir::take(&options.data_dir)?;
        let access = Access::Password(dir.password("password")?);
        Self::start_in(options, dir, access).await
    }

    /// The same with users that the caller chooses: `accounts` is the value of the server's setting of that name.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub async fn start_with_accounts(options: NatsOptions, accounts: serde_json::Value) -> Result<Self, ServerError> {
        let dir = OwnedDir::take(&options.data_dir)?;
        Self::start_in(options, dir, Access::Accounts(accounts)).await
    }

    async fn start_in(options: NatsOptions, dir: OwnedDir, access: Access) -> Result<Self, ServerError> {
        if let Some(pid) = read_pid(&pid_file(dir.path())) {
            stop_leftover(pid, &config_file(dir.path()), "TERM", STOP_WITHIN).await;
        }
        let (child, port, monitor_port) = launch(&options, &dir, &access, options.port).await?;
        Ok(Self { child, options, dir, port, monitor_port, access })
    }

    /// The address, as the bus takes it; with user and password, unless the users are the caller's.
    pub fn url(&self) -> String {
        match &self.access {
            Access::Password(password) => format!("nats://{USER}:{password}@127.0.0.1:{}", self.port),
            Access::Accounts(_) => format!("nats://127.0.0.1:{}", self.port),
        }
    }

    /// The address without the password, for people and logs.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The monitoring endpoint, if it was asked for.
    pub fn monitor_url(&self) -> Option<String> {
        self.monitor_port.map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// The server's process id; of the last process, if it does not run.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.ended().is_none()
    }

    /// Stops the server in good order.
    pub async fn stop(&mut self) {
        self.child.stop().await;
    }

    /// SIGKILL, for tests of crashes.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Stops the server if it runs and starts it again on the same port, password and data.
    ///
    /// # Errors
    /// As [`NatsServer::start`]; also if the port was taken in between.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.child.stop().await;
        let (child, _, monitor_port) = launch(&self.options, &self.dir, &self.access, self.port).await?;
        self.child = child;
        self.monitor_port = monitor_port;
        Ok(())
    }
}

fn config_file(dir: &Path) -> PathBuf {
    dir.join("nats.json")
}

fn pid_file(dir: &Path) -> PathBuf {
    dir.join("nats.pid")
}

fn read_pid(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

async fn launch(
    options: &NatsOptions,
    dir: &OwnedDir,
    access: &Access,
    wanted_port: u16,
) -> Result<(Supervised, u16, Option<u16>), ServerError> {
    let log = dir.path().join("nats.log");
    let mut attempt = 1;
    loop {
        let port = if wanted_port == 0 { free_port()? } else { wanted_port };
        let monitor_port = if options.monitor { Some(free_port()?) } else { None };
        // The name tells our server from a stranger that took the port in between.
        let name = format!("caffeine-{}", random_hex::<8>());
        let config = configuration(options, dir.path(), access, &name, port, monitor_port);
        write_private(&config_file(dir.path()), &config)?;

        let mut command = Command::new(options.tools.nats_server());
        command.arg("--config").arg(config_file(dir.path())).current_dir(dir.path());
        let how = Supervision { log: &log, stop_signal: "TERM", patience: STOP_WITHIN };
        let mut child = Supervised::spawn(&mut command, &how)?;
        match wait_until_ready(&mut child, port, &name, &log).await {
            Ok(()) => return Ok((child, port, monitor_port)),
            Err(ServerError::Died { log, .. })
                if wanted_port == 0 && attempt < PORT_ATTEMPTS && log.contains("address already in use") =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// JSON is a subset of the server's own format and cannot be misquoted.
fn configuration(
    options: &NatsOptions,
    dir: &Path,
    access: &Access,
    name: &str,
    port: u16,
    monitor_port: Option<u16>,
) -> String {
    let mut config = serde_json::json!({
        "server_name": name,
        "host": "127.0.0.1",
        "port": port,
        "max_payload": MAX_PAYLOAD_BYTES,
        "pid_file": pid_file(dir).to_string_lossy(),
        "jetstream": {
            "store_dir": dir.join("store").to_string_lossy(),
            "max_file_store": options.max_store_bytes,
            "max_memory_store": options.max_store_bytes / 8,
            "sync_interval": if options.sync_always { "always" } else { "2m" },
        },
    });
    match access {
        Access::Password(password) => {
            config["authorization"] = serde_json::json!({ "users": [{ "user": USER, "password": password }] });
        }
        Access::Accounts(accounts) => config["accounts"] = accounts.clone(),
    }
    if let Some(monitor_port) = monitor_port {
        config["http"] = format!("127.0.0.1:{monitor_port}").into();
    }
    format!("{config:#}")
}

async fn wait_until_ready(child: &mut Supervised, port: u16, name: &str, log: &Path) -> Result<(), ServerError> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if let Some(status) = child.ended() {
            return Err(ServerError::Died { program: "nats-server", status, log: log_tail(log) });
        }
        // A connection on loopback is made or refused at once, so this does not block the runtime
        // for longer than a poll.
        if greeting(port).is_some_and(|line| line.contains(name)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ServerError::NotReady {
                program: "nats-server",
                seconds: READY_WITHIN.as_secs(),
                log: log_tail(log),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The first line a nats-server says to a client; it accepts clients after JetStream is recovered.
fn greeting(port: u16) -> Option<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.starts_with("INFO ").then_some(line)
}
