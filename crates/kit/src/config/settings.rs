//! The settings that all services share.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use caffeine_bus::{BusConfig, Nkey, redact_url};
use caffeine_contract::Timings;
use serde::Deserialize;

use super::ConfigError;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object per line.
    Json,
}

/// How patient consumers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatsTimings {
    /// The contract's times.
    #[default]
    Production,
    /// Seconds instead of minutes.
    Test,
}

impl From<NatsTimings> for Timings {
    fn from(timings: NatsTimings) -> Self {
        match timings {
            NatsTimings::Production => Self::Production,
            NatsTimings::Test => Self::Test,
        }
    }
}

/// The settings that all services share.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `nats://[user:password@]host:port`; several addresses of one cluster are separated by commas. No default.
    pub nats_url: Option<String>,
    /// Seed of the user's NKey, `SU…`; goes before user and password of the address.
    pub nats_nkey: Option<String>,
    /// Isolates installations that share a broker: letters, digits and `_`.
    pub nats_prefix: String,
    /// How patient consumers are; `test` counts in seconds and belongs in no installation.
    pub nats_timings: NatsTimings,
    /// `postgres://user:password@host:port/database`. No default.
    pub database_url: Option<String>,
    /// Most connections to the database, per process.
    pub database_connections: u32,
    /// Where `/livez`, `/readyz` and `/metrics` are served; port 0 takes a free one, which is logged.
    pub health_listen: SocketAddr,
    /// Which log lines appear, as a filter of `tracing` (`info,caffeine_bus=debug`).
    pub log: String,
    /// How they look; by default text on a terminal, JSON otherwise.
    pub log_format: Option<LogFormat>,
    /// How long running work may go on after a request to stop, in seconds.
    pub shutdown_grace_seconds: u64,
    /// Where spans go: a receiver of OTLP over gRPC, `http://host:4317`. Unset: nowhere.
    pub otlp_endpoint: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nats_url: None,
            nats_nkey: None,
            nats_prefix: String::new(),
            nats_timings: NatsTimings::default(),
            database_url: None,
            database_connections: 8,
            health_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            log: "info,async_nats=warn,sqlx=warn,hyper=warn".to_owned(),
            log_format: None,
            shutdown_grace_seconds: 45,
            otlp_endpoint: None,
        }
    }
}

impl Settings {
    /// The broker's address.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    pub fn require_nats_url(&self) -> Result<&str, ConfigError> {
        require(self.nats_url.as_deref(), "nats_url", "CAFFEINE_NATS_URL")
    }

    /// The database's address.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    pub fn require_database_url(&self) -> Result<&str, ConfigError> {
        require(self.database_url.as_deref(), "database_url", "CAFFEINE_DATABASE_URL")
    }

    /// How to reach the broker under a service's name.
    ///
    /// # Errors
    /// [`ConfigError::Missing`]; [`ConfigError::Invalid`] if the key is none.
    pub fn bus_config(&self, name: &str) -> Result<BusConfig, ConfigError> {
        let url = self.require_nats_url()?.to_owned();
        let nkey = self.nats_nkey.as_deref().filter(|seed| !seed.is_empty()).map(Nkey::parse).transpose();
        let nkey = nkey.map_err(|error| ConfigError::Invalid {
            setting: "`nats_nkey`".to_owned(),
            problem: format!("is {error}"),
        })?;
        Ok(BusConfig { url, prefix: self.nats_prefix.clone(), name: name.to_owned(), nkey })
    }

    /// How long running work may go on after a request to stop.
    #[must_use]
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("nats_url", &self.nats_url.as_deref().map(redact_url))
            .field("nats_nkey", &self.nats_nkey.as_ref().map(|_| "…"))
            .field("nats_prefix", &self.nats_prefix)
            .field("database_url", &self.database_url.as_deref().map(redact_url))
            .field("database_connections", &self.database_connections)
            .field("health_listen", &self.health_listen)
            .field("log", &self.log)
            .field("log_format", &self.log_format)
            .field("shutdown_grace_seconds", &self.shutdown_grace_seconds)
            .field("otlp_endpoint", &self.otlp_endpoint.as_deref().map(redact_url))
            .finish()
    }
}

fn require<'a>(value: Option<&'a str>, key: &str, variable: &str) -> Result<&'a str, ConfigError> {
    value
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ConfigError::Missing { setting: format!("`{key}` (`{variable}`, `{variable}_FILE`)") })
}
