//! Settings of the gateway.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use caffeine_model::{ANALYSER, EMBEDDING_MODEL};
use caffeine_sealed::PublicKey;
use caffeine_store::gateway::Versions;
use secrecy::SecretString;
use serde::Deserialize;

/// The section `gateway` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Address and port to listen on. Loopback unless somebody says otherwise; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The analyser that new runs are fixed to; the chunkers' version.
    pub analyser: String,
    /// The embedding model that new runs are fixed to, and that questions are embedded with.
    pub embedding_model: String,
    /// A token of the local administrator, valid after a start; best given as a file (`CAFFEINE_GATEWAY_ADMIN_TOKEN_FILE`).
    /// Without this setting a token is made on the first start and printed once.
    pub admin_token: Option<SecretString>,
    /// What credentials of git hosts are sealed to; `caffeine credential-key` prints it. Without it none are taken.
    pub credential_public_key: Option<String>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            analyser: ANALYSER.to_owned(),
            embedding_model: EMBEDDING_MODEL.to_owned(),
            admin_token: None,
            credential_public_key: None,
        }
    }
}

impl GatewayConfig {
    /// What credentials are sealed to.
    pub(crate) fn credential_key(&self) -> anyhow::Result<Option<PublicKey>> {
        let key = self.credential_public_key.as_deref().filter(|text| !text.trim().is_empty());
        key.map(|text| text.parse().context("`gateway.credential_public_key`")).transpose()
    }

    /// What new runs are fixed to.
    pub(crate) fn versions(&self) -> Versions {
        Versions { analyser: self.analyser.clone(), embedding_model: self.embedding_model.clone() }
    }
}
