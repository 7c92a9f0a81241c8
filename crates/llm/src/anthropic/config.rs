//! Where the API is, who we are, and how long we wait.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// The API version this client was written for.
pub const API_VERSION: &str = "2026-10-21";

/// Settings of one client.
#[derive(Debug, Clone)]
pub struct AnthropicConfig {
    /// The API's address without `/v1/messages`, such as `https://api.anthropic.com`.
    pub base_url: Url,
    /// The key; `None` for a local server that asks for none.
    pub api_key: Option<SecretString>,
    /// The value of `anthropic-version`. Some local servers only know an older one.
    pub api_version: String,
    /// Most time to open a connection.
    pub connect_timeout: Duration,
    /// Most time from sending the request to the answer's headers.
    pub first_byte_timeout: Duration,
    /// Most time between two reads of the answer; pings count.
    pub idle_timeout: Duration,
    /// Most time for the whole call, all tries and the answer to its end.
    pub deadline: Duration,
    /// Most tries of one call, at least one.
    pub max_attempts: u32,
    /// Certificates to trust beside the system's, PEM, for a company's own authority.
    pub extra_roots_pem: Option<Vec<u8>>,
    /// A proxy to use instead of the system's.
    pub proxy: Option<Url>,
}

impl AnthropicConfig {
    /// The usual settings for an address and a key.
    #[must_use]
    pub fn new(base_url: Url, api_key: Option<SecretString>) -> Self {
        Self {
            base_url,
            api_key,
            api_version: API_VERSION.to_owned(),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(90),
            deadline: Duration::from_secs(15 * 60),
            max_attempts: 6,
            extra_roots_pem: None,
            proxy: None,
        }
    }
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is not one of an HTTP server.
    #[error("model address must begin with http:// or https:// and carry no credentials")]
    Address,
    /// The key or the version holds characters that no header may hold.
    #[error("{0} cannot be sent as a header")]
    Header(&'static str),
    /// Certificates, proxy or TLS set-up.
    #[error("set up the model's HTTP client")]
    Http(#[source] reqwest::Error),
}
