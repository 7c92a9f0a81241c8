//! What operators run: `up`, `serve`, `migrate`, `users`, `provision`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use caffeine_bus::{Bus, StorageProfile, check_rights};
use caffeine_contract::Identity;
use caffeine_kit::{Configuration, Health, Telemetry, shutdown_on_signals};
use caffeine_store::Store;

use crate::cli::{Profile, Role, UpArgs};
use crate::embedded::{Embedded, EmbeddedOptions};
use crate::identities::Identities;
use crate::roles::Roles;

/// Runs the embedded mode until a signal.
pub(crate) async fn up(args: UpArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown_on_signals().context("install signal handlers")?;
    let options =
        EmbeddedOptions { listen: args.listen, log: "info,async_nats=warn,sqlx=warn,hyper=warn", is_private: false };
    let embedded = Embedded::start(&args.embedded, options, shutdown).await?;
    println!("CaffeineCode is up.");
    println!("  web      {} (sign in with the token)", embedded.base);
    println!("  API      {}api/v1 (description, with the token: {0}api/v1/openapi.json)", embedded.base);
    println!("  health   http://{}/readyz, metrics at /metrics", embedded.health_address);
    println!("  token    {} (kept in {})", embedded.token, embedded.token_file.display());
    println!("  data     {}", args.embedded.data.display());
    println!("Stop it with Ctrl-C.");
    embedded.join().await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs some services with the configuration's servers until a signal.
pub(crate) async fn serve(roles: &[Role]) -> anyhow::Result<ExitCode> {
    let configuration = Configuration::from_process(None)?;
    let settings = configuration.settings()?;
    let telemetry = Telemetry::install("caffeine", &settings)?;
    caffeine_kit::allow_many_files();
    let shutdown = shutdown_on_signals().context("install signal handlers")?;
    let health = Health::new();
    let running = Roles::start(roles, &configuration, &health, shutdown.clone()).await?;
    let address =
        health.serve(settings.health_listen, Some(telemetry.clone()), shutdown).await.context("serve health")?;
    tracing::info!(%address, "serving health and metrics");
    let outcome = running.join().await;
    telemetry.shutdown().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Brings the schema up to date, and the services' rights with it.
pub(crate) async fn migrate(roles: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = Configuration::from_process(None)?.settings()?;
    let url = settings.require_database_url()?;
    let store = Store::connect(url, 1, "caffeine migrate").await?;
    store.migrate().await.context("migrate the database")?;
    if let Some(folder) = roles {
        Identities::open(folder)?.roles(&store, url).await?;
    }
    let granted = store.grant_rights().await.context("grant the services' rights")?;
    store.close().await;
    println!("The database's schema is current.");
    if !granted.is_empty() {
        let names: Vec<&str> = granted.iter().map(|service| service.as_str()).collect();
        println!("These have the rights of their service: {}.", names.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the broker's users.
pub(crate) fn users(folder: &Path) -> anyhow::Result<ExitCode> {
    let settings = Configuration::from_process(None)?.settings()?;
    let users = Identities::open(folder)?.users(&settings.nats_prefix)?;
    println!("{} users in {}: include it in the broker's configuration.", users.keys.len(), users.file.display());
    Ok(ExitCode::SUCCESS)
}

/// Creates and updates streams and consumers.
pub(crate) async fn provision(profile: Profile) -> anyhow::Result<ExitCode> {
    let settings = Configuration::from_process(None)?.settings()?;
    let identity = Identity::Provisioner;
    let bus = Bus::connect(&settings.bus_config(identity.as_str())?).await?.with_timings(settings.nats_timings.into());
    check_rights(&bus, identity).await?;
    let profile = match profile {
        Profile::Embedded => StorageProfile::Embedded,
        Profile::Server => StorageProfile::Server,
        Profile::Cluster => StorageProfile::Cluster,
    };
    let report = caffeine_bus::provision(&bus, profile).await?;
    bus.drain().await;
    for name in &report.created {
        println!("created {name}");
    }
    for name in &report.updated {
        println!("updated {name}");
    }
    for name in &report.removed {
        println!("removed {name}, which an earlier version read");
    }
    println!(
        "{} created, {} updated, {} as they should be",
        report.created.len(),
        report.updated.len(),
        report.unchanged
    );
    Ok(ExitCode::SUCCESS)
}
