//! `caffeine doctor`: one line per setting, program and server, and what to do about each that is wrong.

use std::collections::BTreeMap;
use std::process::ExitCode;

use caffeine_bus::{Bus, BusError, check_rights, verify_service};
use caffeine_contract::Service as Name;
use caffeine_kit::{Configuration, Service, Settings, redact_url};
use caffeine_sealed::{PrivateKey, PublicKey};
use caffeine_servers::Tools;
use caffeine_store::{MigrationStatus, Store};
use secrecy::ExposeSecret as _;

/// Collects findings and prints each as it comes.
#[derive(Default)]
struct Report {
    problems: usize,
}

impl Report {
    fn ok(&self, what: &str, detail: &str) {
        println!("ok       {what}: {detail}");
    }

    fn note(&self, what: &str, detail: &str) {
        println!("note     {what}: {detail}");
    }

    fn problem(&mut self, what: &str, detail: &str) {
        self.problems += 1;
        println!("PROBLEM  {what}: {detail}");
    }

    fn check<E: std::fmt::Display>(&mut self, what: &str, outcome: Result<String, E>) {
        match outcome {
            Ok(detail) => self.ok(what, &detail),
            Err(error) => self.problem(what, &format!("{error:#}")),
        }
    }
}

/// Checks everything; the exit code is 1 if anything is wrong.
pub(crate) async fn doctor() -> anyhow::Result<ExitCode> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut report = Report::default();
    let configuration = Configuration::from_process(None);
    let settings = configuration.as_ref().ok().and_then(|configuration| configuration.settings().ok());
    programs(&mut report, settings.as_ref());
    match configuration {
        Ok(configuration) => {
            sections(&mut report, &configuration);
            provider(&mut report, &configuration).await;
            match configuration.settings() {
                Ok(settings) => {
                    database(&mut report, &configuration).await;
                    broker(&mut report, &configuration, &settings).await;
                }
                Err(error) => report.problem("settings", &error.to_string()),
            }
        }
        Err(error) => report.problem("settings", &error.to_string()),
    }
    match report.problems {
        0 => println!("Everything is in order."),
        1 => println!("1 problem."),
        count => println!("{count} problems."),
    }
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn programs(report: &mut Report, settings: Option<&Settings>) {
    let has_servers = settings.is_some_and(|settings| settings.nats_url.is_some() && settings.database_url.is_some());
    if !has_servers {
        let outcome =
            Tools::locate().map(|_| "nats-server and PostgreSQL for the embedded mode are in place".to_owned());
        report.check("programs", outcome);
    }
    let git = std::process::Command::new("git").arg("--version").output();
    match git {
        Ok(output) if output.status.success() => {
            report.ok("git", String::from_utf8_lossy(&output.stdout).trim());
        }
        _ => report.note("git", "not found; only needed to document a local path"),
    }
    match std::process::Command::new("ssh").arg("-V").output() {
        Ok(output) if output.status.success() => report.ok("ssh", String::from_utf8_lossy(&output.stderr).trim()),
        _ => report.note("ssh", "not found; only needed beside the cloner, for repositories over ssh"),
    }
}

fn sections(report: &mut Report, configuration: &Configuration) {
    fn section<S: Service>(report: &mut Report, configuration: &Configuration) {
        let outcome = configuration.section::<S::Config>(S::NAME.as_str()).map(|_| "understood".to_owned());
        report.check(&format!("settings of {}", S::NAME.as_str()), outcome);
    }
    section::<caffeine_gateway::GatewayService>(report, configuration);
    section::<caffeine_cloner::ClonerService>(report, configuration);
    section::<caffeine_chunker::ChunkerService>(report, configuration);
    section::<caffeine_embedder::EmbedderService>(report, configuration);
    section::<caffeine_doc_writer::DocWriterService>(report, configuration);
    section::<crate::housekeeper::Housekeeper>(report, configuration);
    credential_keys(report, configuration);
    sign_in(report, configuration);
}

/// What the gateway checks at its start beyond the form of its settings.
fn sign_in(report: &mut Report, configuration: &Configuration) {
    let Ok(config) = configuration.section::<caffeine_gateway::GatewayConfig>(Name::Gateway.as_str()) else { return };
    let ways = config.check().map(|()| match (&config.oidc_issuer, &config.session_keys) {
        (Some(issuer), _) => format!("by {issuer}"),
        (None, Some(_)) if config.token_sign_in => "with API tokens".to_owned(),
        _ => "not by browsers: `caffeine session-keys` makes the keys that sessions need".to_owned(),
    });
    report.check("sign-in", ways);
}

/// The two halves of the pair, where one configuration has both.
fn credential_keys(report: &mut Report, configuration: &Configuration) {
    let cloner = configuration.section::<caffeine_cloner::ClonerConfig>(Name::Cloner.as_str());
    let gateway = configuration.section::<caffeine_gateway::GatewayConfig>(Name::Gateway.as_str());
    let (Ok(cloner), Ok(gateway)) = (cloner, gateway) else { return };
    let what = "credential keys";
    let private = cloner.credential_key.map(|key| key.expose_secret().parse::<PrivateKey>());
    let public = gateway.credential_public_key.map(|key| key.parse::<PublicKey>());
    match (private, public) {
        (None, None) => {
            report.note(what, "none: private repositories cannot be read; `caffeine credential-key` makes them");
        }
        (Some(Err(error)), _) => report.problem(what, &format!("`cloner.credential_key`: {error}")),
        (_, Some(Err(error))) => report.problem(what, &format!("`gateway.credential_public_key`: {error}")),
        (Some(Ok(private)), Some(Ok(public))) if private.public() != public => {
            report.problem(what, &format!("they are not a pair: the gateway needs {}", private.public()));
        }
        _ => report.ok(what, "understood"),
    }
}

/// The identity provider, if there is one.
async fn provider(report: &mut Report, configuration: &Configuration) {
    let Ok(config) = configuration.section::<caffeine_gateway::GatewayConfig>(Name::Gateway.as_str()) else { return };
    // What is wrong with the settings was said.
    if config.check().is_err() {
        return;
    }
    match config.ask_provider().await {
        Ok(None) => {}
        Ok(Some(says)) => report.ok("identity provider", &says),
        Err(error) => report.problem("identity provider", &format!("{error:#}")),
    }
}

/// As each service: each may be a user of its own.
async fn database(report: &mut Report, configuration: &Configuration) {
    let mut addresses: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    for service in Name::ALL {
        if let Some(url) = configuration.settings_of(service).ok().and_then(|settings| settings.database_url) {
            addresses.entry(url).or_default().push(service);
        }
    }
    if addresses.is_empty() {
        report.note("database", "CAFFEINE_DATABASE_URL is not set: `caffeine up` starts a PostgreSQL of its own");
    }
    for (url, services) in addresses {
        database_at(report, &url, &services).await;
    }
}

async fn database_at(report: &mut Report, url: &str, services: &[Name]) {
    let store = match Store::connect(url, 1, "caffeine doctor").await {
        Ok(store) => store,
        Err(error) => {
            report.problem("database", &format!("{}: {:#}", redact_url(url), anyhow::Error::new(error)));
            return;
        }
    };
    match store.migration_status().await {
        Ok(MigrationStatus::Current) => report.ok("database", &format!("{}, schema is current", redact_url(url))),
        Ok(MigrationStatus::Pending(count)) => {
            report.problem("database", &format!("{count} migrations are missing: run `caffeine migrate`"));
        }
        Ok(MigrationStatus::Ahead) => {
            report.problem("database", "the schema is newer than this program: run a newer version");
        }
        Err(error) => report.problem("database", &format!("{:#}", anyhow::Error::new(error))),
    }
    for service in services {
        let outcome = store.check_rights(*service).await.map(|()| "rights are in place".to_owned());
        report.check(&format!("database for {}", service.as_str()), outcome.map_err(anyhow::Error::new));
    }
    store.close().await;
}

/// As each service, too.
async fn broker(report: &mut Report, configuration: &Configuration, settings: &Settings) {
    if settings.nats_url.is_none() {
        report.note("broker", "CAFFEINE_NATS_URL is not set: `caffeine up` starts a nats-server of its own");
        return;
    }
    for service in Name::ALL {
        let outcome = broker_as(configuration, service).await;
        let is_away = outcome
            .as_ref()
            .err()
            .is_some_and(|error| matches!(error.downcast_ref::<BusError>(), Some(BusError::Connect { .. })));
        report.check(&format!("broker for {}", service.as_str()), outcome);
        // Each connection waits a while for a broker that is not there.
        if is_away {
            return;
        }
    }
}

async fn broker_as(configuration: &Configuration, service: Name) -> anyhow::Result<String> {
    let settings = configuration.settings_of(service)?;
    let bus = Bus::connect(&settings.bus_config(service.as_str())?).await?;
    let checked = async {
        check_rights(&bus, service.into()).await?;
        verify_service(&bus, service).await
    };
    let outcome = checked.await;
    bus.drain().await;
    outcome?;
    Ok("rights and consumers are in place".to_owned())
}
