//! The settings of the identity provider.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::roles::{IdentifyBy, RoleMap};
use crate::config::GatewayConfig;
use crate::identity::settings::{IdentityError, is_loopback};

/// Hosts of Entra ID: world, governments, China.
const ENTRA_HOSTS: &[&str] =
    &["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];
/// Paths of Entra ID that are no tenant: anybody with an account anywhere could sign in.
const NO_TENANTS: &[&str] = &["common", "organizations", "consumers"];

/// The settings, checked.
#[derive(Debug, Clone)]
pub(crate) struct ProviderSettings {
    /// Exactly as tokens say it.
    pub(crate) issuer: String,
    pub(crate) client: String,
    pub(crate) secret: Option<SecretString>,
    /// Shown on the button.
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) roles: RoleMap,
    pub(crate) identify_by: IdentifyBy,
    /// Whether the provider is on this machine, and may do without TLS.
    pub(crate) is_local: bool,
    /// Where the provider sends people back to.
    pub(crate) redirect: String,
    /// Where it sends them after signing out.
    pub(crate) signed_out: String,
}

impl ProviderSettings {
    /// Reads them; `None` without an issuer.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub(crate) fn new(config: &GatewayConfig, origin: Option<&str>) -> Result<Option<Self>, IdentityError> {
        let Some(issuer) = given(config.oidc_issuer.as_deref()) else { return Ok(None) };
        let url = Url::parse(issuer).map_err(|_| IdentityError::Issuer)?;
        let is_local = is_loopback(&url);
        if !(url.scheme() == "https" || (url.scheme() == "http" && is_local)) || url.query().is_some() {
            return Err(IdentityError::Issuer);
        }
        let is_entra = url.host_str().is_some_and(|host| ENTRA_HOSTS.contains(&host));
        let tenant = url.path().trim_start_matches('/').split('/').next().unwrap_or_default();
        if is_entra && NO_TENANTS.contains(&tenant) {
            return Err(IdentityError::NoTenant);
        }
        let identify_by = match config.oidc_identify_by.as_str() {
            "auto" if is_entra => IdentifyBy::Entra,
            "auto" | "subject" => IdentifyBy::Subject,
            "entra" => IdentifyBy::Entra,
            _ => return Err(IdentityError::IdentifyBy),
        };
        let client = given(config.oidc_client_id.as_deref()).ok_or(IdentityError::Client)?;
        let origin = origin.ok_or(IdentityError::NoPublicUrl)?;
        let roles = RoleMap::new(&config.oidc_roles_claim, &config.oidc_roles).map_err(IdentityError::RoleMap)?;
        let name = given(config.oidc_name.as_deref()).or(url.host_str()).unwrap_or_default();
        let secret = config.oidc_client_secret.as_ref().map(|secret| secret.expose_secret().trim().to_owned());
        Ok(Some(Self {
            issuer: issuer.to_owned(),
            client: client.to_owned(),
            secret: secret.filter(|text| !text.is_empty()).map(SecretString::from),
            name: name.to_owned(),
            scopes: config.oidc_scopes.join(" "),
            roles,
            identify_by,
            is_local,
            redirect: format!("{origin}/login/callback"),
            signed_out: format!("{origin}/sign-in"),
        }))
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::ProviderSettings;
    use crate::config::GatewayConfig;
    use crate::identity::provider::roles::IdentifyBy;
    use crate::identity::settings::IdentityError;

    fn settings(issuer: &str) -> Result<ProviderSettings, IdentityError> {
        let config = GatewayConfig {
            oidc_issuer: Some(issuer.to_owned()),
            oidc_client_id: Some("docs".to_owned()),
            ..GatewayConfig::default()
        };
        ProviderSettings::new(&config, Some("https://docs.corp")).map(|settings| settings.expect("there is an issuer"))
    }

    #[test]
    fn entra_is_recognised_and_must_be_one_tenant() {
        let tenant = "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0";
        assert_eq!(settings(tenant).unwrap().identify_by, IdentifyBy::Entra);
        assert_eq!(settings("https://id.corp/realms/docs").unwrap().identify_by, IdentifyBy::Subject);
        for everybody in ["common", "organizations", "consumers"] {
            let issuer = format!("https://login.microsoftonline.com/{everybody}/v2.0");
            assert!(matches!(settings(&issuer), Err(IdentityError::NoTenant)), "{issuer}");
        }
    }

    #[test]
    fn issuers_need_tls_unless_they_are_here() {
        assert!(settings("http://127.0.0.1:9400").unwrap().is_local);
        for odd in ["id.corp", "http://id.corp", "ftp://id.corp", "https://id.corp/?a=1"] {
            assert!(matches!(settings(odd), Err(IdentityError::Issuer)), "{odd}");
        }
        assert!(ProviderSettings::new(&GatewayConfig::default(), None).unwrap().is_none());
    }

    #[test]
    fn what_belongs_together() {
        let mut config = GatewayConfig { oidc_issuer: Some("https://id.corp".to_owned()), ..GatewayConfig::default() };
        let check = |config: &GatewayConfig, origin| ProviderSettings::new(config, origin).unwrap_err();
        assert!(matches!(check(&config, Some("https://docs.corp")), IdentityError::Client));
        config.oidc_client_id = Some("docs".to_owned());
        assert!(matches!(check(&config, None), IdentityError::NoPublicUrl));
        config.oidc_roles = vec!["a=king".to_owned()];
        assert!(matches!(check(&config, Some("https://docs.corp")), IdentityError::RoleMap(item) if item == "a=king"));
    }
}
