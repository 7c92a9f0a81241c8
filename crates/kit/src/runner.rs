//! From `main` to the end of a service.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use caffeine_bus::{Bus, check_rights, verify_service};
use caffeine_store::{MigrationStatus, Store};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Request, program, usage, version};
use crate::config::{Configuration, Settings};
use crate::{Clients, Health, Service, Starting, Telemetry, allow_many_files, redact_url, shutdown_on_signals};

/// The whole `main` of a service's own binary `caffeine-<service>`: `--config <file>`, `--help` and `--version`.
#[must_use]
pub fn main<S: Service>() -> ExitCode {
    let outcome = Request::parse(std::env::args_os().skip(1)).and_then(|request| match request {
        Request::Run(file) => run_alone::<S>(file),
        Request::Help => say(&usage(S::NAME)),
        Request::Version => say(&version(S::NAME)),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not exist yet, so the chain goes to standard error, once.
            eprintln!("{}: {error:#}", program(S::NAME));
            ExitCode::FAILURE
        }
    }
}

fn run_alone<S: Service>(file: Option<PathBuf>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(process::<S>(file))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("write to standard output")
}

/// Connects to broker and database, and refuses what this program was not built for.
///
/// # Errors
/// A sentence that says what is missing and which command makes it.
pub async fn connect(service: caffeine_contract::Service, settings: &Settings) -> anyhow::Result<Clients> {
    // Ring is the only provider that is built in; a second service of the process finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let database = settings.require_database_url()?;
    let store = Store::connect(database, settings.database_connections, service.as_str())
        .await
        .with_context(|| format!("connect to {}", redact_url(database)))?;
    match store.migration_status().await.context("read the schema's version")? {
        MigrationStatus::Current => {}
        MigrationStatus::Pending(count) => {
            bail!("the database lacks {count} migrations of this program: run `caffeine migrate`")
        }
        MigrationStatus::Ahead => {
            bail!("the database has migrations that this program does not know: run a newer version of it")
        }
    }

    crate::pool::observe(service, &store);
    store.check_rights(service).await.with_context(|| format!("use {}", redact_url(database)))?;

    let config = settings.bus_config(service.as_str())?;
    let bus = Bus::connect_timed(&config, settings.nats_timings.into()).await?.with_grace(settings.shutdown_grace());
    check_rights(&bus, service.into()).await?;
    verify_service(&bus, service).await?;
    Ok(Clients { bus, store })
}

/// Reads the service's section, builds it and runs it. What the all-in-one binary does for each of its roles; clients,
/// telemetry and health are the caller's.
///
/// # Errors
/// If the configuration is wrong or the service cannot go on.
pub async fn run_service<S: Service>(
    configuration: &Configuration,
    clients: Clients,
    starting: Starting,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let name = S::NAME.as_str();
    let config: S::Config = configuration.section(name)?;
    let service = S::from_config(config, clients).await.with_context(|| format!("build {name}"))?;
    starting.done();
    tracing::info!(service = name, "started");
    service.run(shutdown).await.with_context(|| format!("run {name}"))?;
    tracing::info!(service = name, "stopped");
    Ok(())
}

async fn process<S: Service>(file: Option<PathBuf>) -> anyhow::Result<()> {
    let configuration = Configuration::from_process(file.as_deref())?;
    let settings = configuration.settings()?;
    let own = configuration.settings_of(S::NAME)?;
    let telemetry = Telemetry::install(S::NAME.as_str(), &settings)?;
    allow_many_files();
    let shutdown = shutdown_on_signals().context("install signal handlers")?;

    let health = Health::new();
    let stop_serving = CancellationToken::new();
    let _serving = stop_serving.clone().drop_guard();
    let clients = tokio::select! {
        clients = connect(S::NAME, &own) => clients?,
        () = shutdown.cancelled() => return Ok(()),
    };
    health.add_clients(&clients);
    let starting = health.starting();
    let address = health
        .serve(settings.health_listen, Some(telemetry.clone()), stop_serving)
        .await
        .with_context(|| format!("listen on {} for health", settings.health_listen))?;
    tracing::info!(%address, "serving health and metrics");

    let draining = health.clone();
    let asked = shutdown.clone();
    tokio::spawn(async move {
        asked.cancelled().await;
        draining.drain();
    });

    let outcome = run_service::<S>(&configuration, clients.clone(), starting, shutdown).await;
    clients.bus.drain().await;
    clients.store.close().await;
    telemetry.shutdown().await;
    outcome
}
