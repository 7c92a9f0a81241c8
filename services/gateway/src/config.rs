//! Settings of the gateway.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use caffeine_model::{ANALYSER, EMBEDDING_MODEL};
use caffeine_sealed::PublicKey;
use caffeine_store::gateway::Versions;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::domain::webhook::WebhookKey;
use crate::identity::IdentitySettings;
use crate::identity::provider::Provider;

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
    /// What the secrets of webhooks are made from, at least 32 bytes; best given as a file
    /// (`CAFFEINE_GATEWAY_WEBHOOK_KEY_FILE`). Whoever changes it makes every hook's secret another one. Without it no
    /// webhooks are taken.
    pub webhook_key: Option<SecretString>,
    /// Where browsers reach the gateway: `https://docs.corp`. Decides about cookies and headers for TLS.
    pub public_url: Option<String>,
    /// Keys that sessions of browsers are signed with, the same for all replicas; `caffeine session-keys` makes them.
    /// Without them nobody signs in with a browser.
    pub session_keys: Option<SecretString>,
    /// Whether people may sign in with an API token.
    pub token_sign_in: bool,
    /// After how many seconds without a request a session ends.
    pub session_idle_seconds: u32,
    /// After how many seconds a session ends whatever happens.
    pub session_seconds: u32,
    /// How long the text of a session's cookie is good for before it is signed anew.
    pub session_renew_seconds: u32,
    /// How long a replica believes what it has read about a session; at most 30.
    pub session_cache_seconds: u32,
    /// The identity provider by which people sign in, exactly as its tokens call it.
    pub oidc_issuer: Option<String>,
    /// What the provider calls this installation.
    pub oidc_client_id: Option<String>,
    /// What the installation shows to the provider; best given as a file. Without it, a public client.
    pub oidc_client_secret: Option<SecretString>,
    /// What people know the provider as; its host if absent.
    pub oidc_name: Option<String>,
    /// What the provider is asked for.
    pub oidc_scopes: Vec<String>,
    /// The claim that gives roles; dots lead into objects.
    pub oidc_roles_claim: String,
    /// What the claim's values are here, as `value=role`; without any, the values are the roles' names.
    pub oidc_roles: Vec<String>,
    /// Which claims say who somebody is: `entra` (`tid` and `oid`), `subject` (`iss` and `sub`), or `auto`.
    pub oidc_identify_by: String,
    /// How many seconds a request may take until it is answered 503.
    pub request_seconds: u32,
    /// A client that takes nothing for so many seconds, while there is something for it, is given up.
    pub stalled_seconds: u32,
    /// Proxies whose word about a client's address counts, as addresses or nets.
    pub trusted_proxies: Vec<String>,
    /// Looks per minute and user; 0 is without limit, here and below.
    pub rate_read: u32,
    /// Changes per minute and user.
    pub rate_write: u32,
    /// Searches per minute and user.
    pub rate_search: u32,
    /// Attempts to sign in per minute and address.
    pub rate_sign_in: u32,
    /// Event streams that a user may have open at once.
    pub event_streams: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            analyser: ANALYSER.to_owned(),
            embedding_model: EMBEDDING_MODEL.to_owned(),
            admin_token: None,
            credential_public_key: None,
            webhook_key: None,
            public_url: None,
            session_keys: None,
            token_sign_in: true,
            session_idle_seconds: 60 * 60,
            session_seconds: 12 * 60 * 60,
            session_renew_seconds: 15 * 60,
            session_cache_seconds: 30,
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret: None,
            oidc_name: None,
            oidc_scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            oidc_roles_claim: "roles".to_owned(),
            oidc_roles: Vec::new(),
            oidc_identify_by: "auto".to_owned(),
            request_seconds: 30,
            stalled_seconds: 30,
            trusted_proxies: Vec::new(),
            rate_read: 600,
            rate_write: 60,
            rate_search: 120,
            rate_sign_in: 20,
            event_streams: 100,
        }
    }
}

impl GatewayConfig {
    /// Says what is wrong with the settings, without connecting to anything.
    ///
    /// # Errors
    /// One sentence about the first setting that is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        self.credential_key()?;
        self.webhook_key()?;
        IdentitySettings::new(self)?;
        Ok(())
    }

    /// Asks the identity provider what it is, and says so in words; `None` if there is none.
    ///
    /// # Errors
    /// If a setting is wrong, or the provider does not answer as one should.
    pub async fn ask_provider(&self) -> anyhow::Result<Option<String>> {
        let Some(settings) = IdentitySettings::new(self)?.provider else { return Ok(None) };
        let provider = Provider::new(settings).context("prepare TLS")?;
        Ok(Some(provider.describe().await?))
    }

    /// What credentials are sealed to.
    pub(crate) fn credential_key(&self) -> anyhow::Result<Option<PublicKey>> {
        let key = self.credential_public_key.as_deref().filter(|text| !text.trim().is_empty());
        key.map(|text| text.parse().context("`gateway.credential_public_key`")).transpose()
    }

    /// What the secrets of webhooks are made from.
    pub(crate) fn webhook_key(&self) -> anyhow::Result<Option<WebhookKey>> {
        let key = self.webhook_key.as_ref().map(ExposeSecret::expose_secret).filter(|text| !text.trim().is_empty());
        key.map(|text| WebhookKey::new(text).context("`gateway.webhook_key`")).transpose()
    }

    /// What new runs are fixed to.
    pub(crate) fn versions(&self) -> Versions {
        Versions { analyser: self.analyser.clone(), embedding_model: self.embedding_model.clone() }
    }
}
