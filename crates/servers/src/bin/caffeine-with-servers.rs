//! Runs a command with throw-away servers: `caffeine-with-servers -- cargo nextest run`.
//!
//! The command finds them in `CAFFEINE_NATS_URL` and `CAFFEINE_DATABASE_URL`. A variable that is
//! set already is left alone and its server is not started. What the servers write is deleted.

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context;
use caffeine_servers::Tools;
use caffeine_servers::nats::{NatsOptions, NatsServer};
use caffeine_servers::postgres::{PostgresOptions, PostgresServer};
use clap::Parser;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

const NATS: &str = "CAFFEINE_NATS_URL";
const DATABASE: &str = "CAFFEINE_DATABASE_URL";
/// Tests reserve far more than they use: every one has streams of its own.
const STORE_BYTES: u64 = 1 << 40;

const PREFIX: &str = "caffeine-servers-";
const LOCK: &str = "owner";

/// Run a command with a nats-server and a PostgreSQL that exist only as long as it does.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Write to the disk before confirming, as an installation does; tests do without.
    #[arg(long)]
    durable: bool,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    // Watched before anything is started, so that a signal finds nothing left behind.
    let mut interrupt = signal(SignalKind::interrupt()).context("watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watch for SIGTERM")?;

    let mut servers = Servers::default();
    let started = tokio::select! {
        started = servers.start(arguments.durable) => started.map(|()| true),
        _ = interrupt.recv() => Ok(false),
        _ = terminate.recv() => Ok(false),
    };
    let code = match started {
        Ok(true) => run(&arguments.command, &servers, &mut interrupt, &mut terminate).await.map(exit_code),
        Ok(false) => Ok(ExitCode::from(130)),
        Err(error) => Err(error),
    };
    servers.stop().await;
    code
}

#[derive(Debug, Default)]
struct Servers {
    nats: Option<NatsServer>,
    postgres: Option<PostgresServer>,
    // After the servers that write into it.
    folder: Option<ThrowAwayFolder>,
}

impl Servers {
    async fn start(&mut self, durable: bool) -> anyhow::Result<()> {
        let wanted = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
        let (nats, postgres) = (wanted(NATS), wanted(DATABASE));
        if !nats && !postgres {
            return Ok(());
        }
        let tools = Tools::locate()?;
        let folder = self.folder.insert(ThrowAwayFolder::create()?);
        let place = folder.folder.path();
        let nats_options = NatsOptions {
            tools: tools.clone(),
            data_dir: place.join("nats"),
            port: 0,
            max_store_bytes: STORE_BYTES,
            sync_always: durable,
            monitor: false,
        };
        let postgres_options = PostgresOptions { tools, data_dir: place.join("postgres"), durable };
        let (nats, postgres) =
            tokio::join!(async { if nats { Some(NatsServer::start(nats_options).await) } else { None } }, async {
                if postgres { Some(PostgresServer::start(postgres_options).await) } else { None }
            },);
        self.nats = nats.transpose().context("start nats-server")?;
        self.postgres = postgres.transpose().context("start PostgreSQL")?;
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(nats) = &mut self.nats {
            nats.stop().await;
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.stop().await;
        }
    }
}

/// What the servers write, deleted with this value; and the same of earlier runs that were killed.
#[derive(Debug)]
struct ThrowAwayFolder {
    folder: TempDir,
    /// Held as long as the owner lives, however it ends.
    _lock: File,
}

impl ThrowAwayFolder {
    fn create() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}", std::process::id()))
            .rand_bytes(0)
            // PostgreSQL becomes another user when this one is root.
            .permissions(Permissions::from_mode(0o711))
            .tempdir()
            .context("create a temporary folder")?;
        let lock = File::create(folder.path().join(LOCK)).context("create a lock file")?;
        lock.lock().context("take a lock")?;
        let user = folder.path().metadata().context("read a temporary folder")?.uid();
        remove_abandoned(user);
        Ok(Self { folder, _lock: lock })
    }
}

fn remove_abandoned(user: u32) {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user);
        // One without a lock file is just being made.
        let is_abandoned = is_ours && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_abandoned {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

async fn run(
    command: &[String],
    servers: &Servers,
    interrupt: &mut Signal,
    terminate: &mut Signal,
) -> anyhow::Result<ExitStatus> {
    let (program, arguments) = command.split_first().context("find a command to run")?;
    let mut invocation = Command::new(program);
    invocation.args(arguments);
    if let Some(nats) = &servers.nats {
        invocation.env(NATS, nats.url());
    }
    if let Some(postgres) = &servers.postgres {
        invocation.env(DATABASE, postgres.url());
    }
    let mut child = invocation.spawn().with_context(|| format!("run {program}"))?;
    let pid = child.id();
    loop {
        tokio::select! {
            ended = child.wait() => return ended.context("wait for the command"),
            // The terminal sends Ctrl-C to the command as well; we only have to outlive it.
            _ = interrupt.recv() => {}
            // This one came to us alone.
            _ = terminate.recv() => forward_terminate(pid).await,
        }
    }
}

async fn forward_terminate(pid: Option<u32>) {
    if let Some(pid) = pid {
        let script = r#"kill -s TERM "$1""#;
        let _ = Command::new("sh").args(["-c", script, "kill", &pid.to_string()]).status().await;
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    // As shells report it: a command ended by a signal is 128 and its number.
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
