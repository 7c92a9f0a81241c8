//! The settings of sign-in, read once at the start.

use std::net::IpAddr;
use std::time::Duration;

use caffeine_store::gateway::SessionLife;
use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use url::{Host, Url};

use super::cookie::Cookies;
use super::keys::{KeyError, KeyRing};
use super::limits::Rates;
use super::origin;
use super::provider::ProviderSettings;
use crate::config::GatewayConfig;

/// The longest time for which an ended session may still be believed elsewhere, in seconds.
const MAX_CACHE_SECONDS: u32 = 30;

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The address as browsers see it.
    #[error(
        "`gateway.public_url` must be `https://host` or `https://host:port`, or `http://` on loopback, without a path"
    )]
    PublicUrl,
    /// The keys of sessions.
    #[error("`gateway.session_keys`: {0}")]
    Keys(#[from] KeyError),
    /// A proxy.
    #[error("`gateway.trusted_proxies`: `{0}` is no address and no net such as `10.0.0.0/8`")]
    Proxy(String),
    /// The provider's address.
    #[error("`gateway.oidc_issuer` must be the provider's `https://` address, exactly as its tokens say it")]
    Issuer,
    /// Anybody could sign in.
    #[error("`gateway.oidc_issuer` must name one tenant: `https://login.microsoftonline.com/<tenant id>/v2.0`")]
    NoTenant,
    /// What we are to the provider.
    #[error("`gateway.oidc_issuer` needs `gateway.oidc_client_id`: what the provider calls this installation")]
    Client,
    /// Where the provider sends people back to.
    #[error("`gateway.oidc_issuer` needs `gateway.public_url`: the provider sends people back there")]
    NoPublicUrl,
    /// What sessions are signed with.
    #[error("`gateway.oidc_issuer` needs `gateway.session_keys`: `caffeine session-keys <file>` makes them")]
    NoKeys,
    /// A value and its role.
    #[error("`gateway.oidc_roles`: `{0}` is not `value=role` with one of our roles")]
    RoleMap(String),
    /// Which claims say who somebody is.
    #[error("`gateway.oidc_identify_by` must be `auto`, `entra` or `subject`")]
    IdentifyBy,
    /// Lives of sessions that make no sense.
    #[error(
        "`gateway.session_idle_seconds`, `session_seconds` and `session_renew_seconds` must be above 0, and \
         `session_cache_seconds` at most {MAX_CACHE_SECONDS}"
    )]
    Life,
}

/// The settings, checked.
pub(crate) struct IdentitySettings {
    pub(crate) cookies: Cookies,
    /// Our origin as browsers see it.
    pub(crate) origin: Option<String>,
    pub(crate) keys: Option<KeyRing>,
    pub(crate) life: SessionLife,
    /// How long a cookie's text is good for before it is signed anew.
    pub(crate) renew_seconds: u32,
    /// How long a session that was looked up is believed.
    pub(crate) cache: Duration,
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) token_sign_in: bool,
    /// How long a request may take.
    pub(crate) request_patience: Duration,
    pub(crate) rates: Rates,
    /// The identity provider, if there is one.
    pub(crate) provider: Option<ProviderSettings>,
}

impl IdentitySettings {
    /// Whether browsers reach us by TLS, as far as we were told.
    pub(crate) fn is_behind_tls(&self) -> bool {
        self.origin.as_deref().is_some_and(|origin| origin.starts_with("https://"))
    }

    /// Reads them.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub(crate) fn new(config: &GatewayConfig) -> Result<Self, IdentityError> {
        let public = config.public_url.as_deref().filter(|text| !text.trim().is_empty());
        let public = public.map(public_url).transpose()?;
        // Without the setting: plain HTTP if only this machine can reach us, else a proxy with TLS is in front.
        let secure = public.as_ref().map_or(!config.listen.ip().is_loopback(), |url| url.scheme() == "https");
        let keys = config.session_keys.as_ref().map(|keys| KeyRing::parse(keys.expose_secret())).transpose()?;
        let life = SessionLife { idle_seconds: config.session_idle_seconds, seconds: config.session_seconds };
        let is_odd = life.idle_seconds == 0
            || life.seconds == 0
            || config.session_renew_seconds == 0
            || config.session_cache_seconds > MAX_CACHE_SECONDS;
        if is_odd {
            return Err(IdentityError::Life);
        }
        let origin = public.map(|url| url.origin().ascii_serialization());
        let provider = ProviderSettings::new(config, origin.as_deref())?;
        if provider.is_some() && keys.is_none() {
            return Err(IdentityError::NoKeys);
        }
        Ok(Self {
            cookies: Cookies { secure },
            origin,
            keys,
            life,
            renew_seconds: config.session_renew_seconds,
            cache: Duration::from_secs(u64::from(config.session_cache_seconds)),
            trusted: origin::trusted_proxies(&config.trusted_proxies).map_err(IdentityError::Proxy)?,
            token_sign_in: config.token_sign_in,
            request_patience: Duration::from_secs(u64::from(config.request_seconds.max(1))),
            rates: Rates {
                read: config.rate_read,
                write: config.rate_write,
                search: config.rate_search,
                sign_in: config.rate_sign_in,
            },
            provider,
        })
    }
}

fn public_url(text: &str) -> Result<Url, IdentityError> {
    let url = Url::parse(text.trim()).map_err(|_| IdentityError::PublicUrl)?;
    let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let is_allowed = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    if is_plain && is_allowed { Ok(url) } else { Err(IdentityError::PublicUrl) }
}

/// Whether an address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{IdentityError, IdentitySettings};
    use crate::config::GatewayConfig;

    fn settings(public: Option<&str>, listen: &str) -> Result<IdentitySettings, IdentityError> {
        let public_url = public.map(str::to_owned);
        IdentitySettings::new(&GatewayConfig {
            public_url,
            listen: listen.parse().unwrap(),
            ..GatewayConfig::default()
        })
    }

    #[test]
    fn cookies_are_secure_unless_only_this_machine_can_see_them() {
        for (public, listen, secure) in [
            (None, "127.0.0.1:8080", false),
            (None, "[::1]:8080", false),
            (None, "0.0.0.0:8080", true),
            (Some("https://docs.corp"), "127.0.0.1:8080", true),
            (Some("http://localhost:8080"), "0.0.0.0:8080", false),
            (Some(""), "0.0.0.0:8080", true),
        ] {
            assert_eq!(settings(public, listen).unwrap().cookies.secure, secure, "{public:?} {listen}");
        }
    }

    #[test]
    fn addresses_for_browsers() {
        assert_eq!(settings(Some("https://docs.corp:443/"), "0.0.0.0:1").unwrap().origin.unwrap(), "https://docs.corp");
        for odd in ["docs.corp", "http://docs.corp", "https://docs.corp/path", "ftp://localhost", "https://u@docs.corp"]
        {
            assert!(matches!(settings(Some(odd), "0.0.0.0:1"), Err(IdentityError::PublicUrl)), "{odd}");
        }
    }
}
