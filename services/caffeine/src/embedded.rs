//! The embedded mode: servers as children unless they are given, a schema and streams that are always current, all
//! services in this process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use caffeine_bus::{Bus, StorageProfile};
use caffeine_contract::Identity;
use caffeine_kit::{Configuration, Health, Telemetry};
use caffeine_servers::Tools;
use caffeine_servers::nats::{NatsOptions, NatsServer};
use caffeine_servers::postgres::{PostgresOptions, PostgresServer};
use caffeine_store::Store;
use tokio_util::sync::CancellationToken;

use crate::cli::{EmbeddedArgs, Role};
use crate::identities::{Identities, variable_of};
use crate::roles::Roles;

/// What the streams of the embedded mode may take in all, in bytes.
const STREAM_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Where the services' keys and passwords are, below the data directory.
const IDENTITIES: &str = "identities";

/// A whole system in this process.
pub(crate) struct Embedded {
    roles: Roles,
    health: Health,
    /// Where the gateway answers.
    pub(crate) base: url::Url,
    /// Where health and metrics are.
    pub(crate) health_address: SocketAddr,
    /// The administrator's token.
    pub(crate) token: String,
    /// Where the token is kept.
    pub(crate) token_file: PathBuf,
    telemetry: Telemetry,
    nats: Option<NatsServer>,
    postgres: Option<PostgresServer>,
}

/// What `up` and `document` want differently.
pub(crate) struct EmbeddedOptions {
    /// Where the gateway listens; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// A log filter, if the configuration names none.
    pub(crate) log: &'static str,
    /// Whether nobody but this program asks the gateway, so that its reading need not be limited.
    pub(crate) is_private: bool,
}

impl Embedded {
    /// Starts everything and waits until the gateway answers.
    ///
    /// # Errors
    /// A sentence that says which part did not start and what to do.
    pub(crate) async fn start(
        args: &EmbeddedArgs,
        options: EmbeddedOptions,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        make_private(&args.data)?;
        let data = args.data.canonicalize().context("resolve the data directory")?;
        let mut variables = given_variables();
        let (nats, postgres) = start_servers(&data, &mut variables).await?;

        let listen = if options.listen.port() == 0 { free_port(options.listen)? } else { options.listen };
        let token_file = data.join("admin-token");
        let token = kept_secret(&token_file, "the administrator's token")?;
        let webhook_key = data.join("webhook-key");
        kept_secret(&webhook_key, "the key of webhooks")?;
        let session_keys = data.join("session-keys");
        crate::session_keys::ensure(&session_keys)?;
        let credential_key = data.join("credential-key");
        let public_key = crate::credential_key::ensure(&credential_key)?;
        // Whoever brings one half of the pair brings both.
        let brings_keys = variables.iter().any(|(name, _)| name.contains("_CREDENTIAL_"));
        // A file and its variable are one setting.
        let brings_session_keys = variables.iter().any(|(name, _)| name.starts_with("CAFFEINE_GATEWAY_SESSION_KEYS"));
        let brings_webhook_key = variables.iter().any(|(name, _)| name.starts_with("CAFFEINE_GATEWAY_WEBHOOK_KEY"));
        let mut default = |name: &str, value: String| {
            if !variables.iter().any(|(known, _)| known == name) {
                variables.push((name.to_owned(), value));
            }
        };
        default("CAFFEINE_LOG", options.log.to_owned());
        if options.is_private {
            default("CAFFEINE_GATEWAY_RATE_READ", "0".to_owned());
        }
        default("CAFFEINE_GATEWAY_LISTEN", listen.to_string());
        default("CAFFEINE_GATEWAY_ADMIN_TOKEN_FILE", token_file.display().to_string());
        default("CAFFEINE_CLONER_DATA_DIR", data.join("cloner").display().to_string());
        if !brings_webhook_key {
            default("CAFFEINE_GATEWAY_WEBHOOK_KEY_FILE", webhook_key.display().to_string());
        }
        if !brings_session_keys {
            default("CAFFEINE_GATEWAY_SESSION_KEYS_FILE", session_keys.display().to_string());
        }
        if !brings_keys {
            default("CAFFEINE_CLONER_CREDENTIAL_KEY_FILE", credential_key.display().to_string());
            default("CAFFEINE_GATEWAY_CREDENTIAL_PUBLIC_KEY", public_key.to_string());
        }
        if !args.allow_hosts.is_empty() {
            default("CAFFEINE_CLONER_ALLOW_HOSTS", toml_list(&args.allow_hosts));
        }

        let settings = Configuration::load(None, variables.clone())?.settings()?;
        let telemetry = Telemetry::install("caffeine", &settings)?;
        caffeine_kit::allow_many_files();
        let url = settings.require_database_url()?;
        let store = Store::connect(url, 1, "caffeine migrate").await?;
        store.migrate().await.context("migrate the database")?;
        if postgres.is_some() {
            for (service, address) in Identities::open(&data.join(IDENTITIES))?.roles(&store, url).await? {
                variables.push((variable_of(service, "DATABASE_URL"), address));
            }
        }
        store.grant_rights().await.context("grant the services' rights")?;
        store.close().await;
        let configuration = Configuration::load(None, variables)?;
        let provisioner = settings.bus_config(Identity::Provisioner.as_str())?;
        let bus = Bus::connect(&provisioner).await?.with_timings(settings.nats_timings.into());
        caffeine_bus::provision(&bus, StorageProfile::Embedded).await.context("provision the streams")?;
        bus.drain().await;

        let health = Health::new();
        let roles = Roles::start(&Role::ALL, &configuration, &health, shutdown.clone()).await?;
        let health_address = health
            .serve(settings.health_listen, Some(telemetry.clone()), shutdown)
            .await
            .with_context(|| format!("listen on {} for health", settings.health_listen))?;
        let base: url::Url = format!("http://{listen}/").parse().context("make the gateway's address")?;
        wait_for_gateway(&base, &roles).await?;
        Ok(Self { roles, health, base, health_address, token, token_file, telemetry, nats, postgres })
    }

    /// Waits for the services to end (after the shutdown token was cancelled, or because one failed), then stops the
    /// servers.
    ///
    /// # Errors
    /// The first service's failure.
    pub(crate) async fn join(self) -> anyhow::Result<()> {
        let outcome = self.roles.join().await;
        self.health.drain();
        self.telemetry.shutdown().await;
        if let Some(mut nats) = self.nats {
            nats.stop().await;
        }
        if let Some(mut postgres) = self.postgres {
            postgres.stop().await;
        }
        outcome
    }
}

/// The `CAFFEINE_*` variables of this process that are settings of the services.
fn given_variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("CAFFEINE_"))
        .collect()
}

async fn start_servers(
    data: &Path,
    variables: &mut Vec<(String, String)>,
) -> anyhow::Result<(Option<NatsServer>, Option<PostgresServer>)> {
    let given = |variables: &[(String, String)], name: &str| {
        variables.iter().any(|(known, _)| known == name || known.strip_suffix("_FILE") == Some(name))
    };
    let mut nats = None;
    if !given(variables, "CAFFEINE_NATS_URL") {
        let prefix = Configuration::load(None, variables.clone())?.settings()?.nats_prefix;
        let users = Identities::open(&data.join(IDENTITIES))?.users(&prefix)?;
        let options = NatsOptions {
            tools: Tools::locate()?,
            data_dir: data.join("nats"),
            port: 0,
            max_store_bytes: STREAM_BYTES,
            sync_always: true,
            monitor: false,
        };
        let server = NatsServer::start_with_accounts(options, users.accounts).await.context("start nats-server")?;
        variables.push(("CAFFEINE_NATS_URL".to_owned(), server.url()));
        for (identity, key) in users.keys {
            let variable = match identity {
                Identity::Service(service) => variable_of(service, "NATS_NKEY"),
                // No service falls back to it: each has its own.
                Identity::Provisioner => "CAFFEINE_NATS_NKEY".to_owned(),
            };
            variables.push((variable, key.seed().to_owned()));
        }
        nats = Some(server);
    }
    let mut postgres = None;
    if !given(variables, "CAFFEINE_DATABASE_URL") {
        let server = PostgresServer::start(PostgresOptions {
            tools: Tools::locate()?,
            data_dir: data.join("postgres"),
            durable: true,
        })
        .await
        .context("start PostgreSQL")?;
        variables.push(("CAFFEINE_DATABASE_URL".to_owned(), server.url()));
        postgres = Some(server);
    }
    Ok((nats, postgres))
}

/// A secret that is made on the first start and kept in a file that only its owner can read.
fn kept_secret(file: &Path, what: &str) -> anyhow::Result<String> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::read_to_string(file) {
        Ok(secret) if !secret.trim().is_empty() => return Ok(secret.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("read {what} from {}", file.display()));
        }
        _ => {}
    }
    let secret = caffeine_gateway::generate_token().with_context(|| format!("make {what}"))?;
    let mut out = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("write {what} to {}", file.display()))?;
    out.write_all(secret.as_bytes())?;
    Ok(secret)
}

/// The gateway is up when it answers.
async fn wait_for_gateway(base: &url::Url, roles: &Roles) -> anyhow::Result<()> {
    let health = base.join("api/v1/health").context("make the gateway's address")?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    for _ in 0..600 {
        if roles.is_stopping() {
            bail!("a service ended while starting; its error is in the log above");
        }
        if client.get(health.clone()).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the gateway did not answer at {base} within 30 seconds")
}

/// A TOML array of strings.
fn toml_list(items: &[String]) -> String {
    let quoted: Vec<String> =
        items.iter().map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("[{}]", quoted.join(","))
}

/// A port that was free a moment ago.
fn free_port(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
    Ok(listener.local_addr()?)
}

/// The data directory holds passwords: nobody else may look inside.
pub(crate) fn make_private(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("create the data directory {}", data.display()))
}
