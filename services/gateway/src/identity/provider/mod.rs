//! The identity provider: the code flow of OpenID Connect with PKCE, on the server alone. Nothing of the provider is
//! kept but who somebody is.

mod http;
pub(crate) mod id_token;
mod login;
mod roles;
mod settings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::jws;
use http::HttpError;
use id_token::{Expected, KeySet, TokenProblem};

pub(crate) use login::{KIND as LOGIN_KIND, Login, return_path};
pub(crate) use roles::{RoleProblem, Vouched};
pub(crate) use settings::ProviderSettings;

/// What a provider says about itself and its keys is asked for again after so long.
const FRESH: Duration = Duration::from_hours(24);
/// Unknown keys are not looked for more often: their names are foreign text.
const KEYS_AGAIN: Duration = Duration::from_mins(5);

/// What a provider says about itself.
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    end_session_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("ask the provider")]
    Http(#[from] HttpError),
    #[error("the provider calls itself `{0}`: set `gateway.oidc_issuer` to that, if it is the right one")]
    OtherIssuer(String),
    #[error("the provider wants something to be sent without TLS")]
    NoTls,
    #[error("the provider refuses the code: {0}")]
    CodeRefused(String),
    #[error("the provider's token is not believed")]
    Token(#[from] TokenProblem),
    #[error("the person is not let in")]
    Role(#[from] RoleProblem),
}

struct Known {
    metadata: Arc<Metadata>,
    since: Instant,
}

struct KnownKeys {
    keys: Arc<KeySet>,
    since: Instant,
    /// When they were last asked for again because of a key that was not among them.
    again: Option<Instant>,
}

/// The provider of this installation.
pub(crate) struct Provider {
    pub(crate) settings: ProviderSettings,
    http: Client,
    known: Mutex<Option<Known>>,
    keys: Mutex<Option<KnownKeys>>,
}

impl Provider {
    /// Asks nobody yet: the gateway starts without its provider.
    ///
    /// # Errors
    /// If there is no TLS.
    pub(crate) fn new(settings: ProviderSettings) -> Result<Self, reqwest::Error> {
        let http = http::client(settings.is_local)?;
        Ok(Self { settings, http, known: Mutex::default(), keys: Mutex::default() })
    }

    /// What the provider says about itself, in words.
    ///
    /// # Errors
    /// If it does not answer as a provider should.
    pub(crate) async fn describe(&self) -> Result<String, ProviderError> {
        let metadata = self.metadata().await?;
        let keys = self.keys(&metadata, false).await?;
        let count = if keys.len() == 1 { "1 key".to_owned() } else { format!("{} keys", keys.len()) };
        Ok(format!("{} answers and has {count} for RS256 or ES256", metadata.issuer))
    }

    /// Where a person goes to sign in.
    ///
    /// # Errors
    /// If the provider cannot be asked what it is.
    pub(crate) async fn authorize_url(&self, login: &Login) -> Result<Url, ProviderError> {
        let mut url = self.metadata().await?.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client)
            .append_pair("redirect_uri", &self.settings.redirect)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &login.state)
            .append_pair("nonce", &login.nonce)
            .append_pair("code_challenge", &login.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Where a person goes to sign out at the provider, too; `None` if it cannot be asked or has no such place.
    pub(crate) async fn logout_url(&self) -> Option<Url> {
        let metadata = self.metadata().await.ok()?;
        let mut url = metadata.end_session_endpoint.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client)
            .append_pair("post_logout_redirect_uri", &self.settings.signed_out);
        Some(url)
    }

    /// Whom a code stands for.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub(crate) async fn exchange(&self, code: &str, login: &Login) -> Result<Vouched, ProviderError> {
        let metadata = self.metadata().await?;
        let token = self.redeem(&metadata, code, login).await?;
        let claims = self.verify(&metadata, &token, &login.nonce).await?;
        Ok(self.settings.roles.vouched(&claims, self.settings.identify_by)?)
    }

    async fn redeem(&self, metadata: &Metadata, code: &str, login: &Login) -> Result<String, ProviderError> {
        #[derive(Deserialize)]
        struct Answer {
            id_token: Option<String>,
            error: Option<String>,
        }
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.settings.redirect),
            ("code_verifier", &login.verifier),
            ("client_id", &self.settings.client),
        ];
        let mut request = self.http.post(metadata.token_endpoint.clone());
        if let Some(secret) = &self.settings.secret {
            let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
            let takes_basic =
                methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
            if takes_basic {
                let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                request = request.basic_auth(encoded(&self.settings.client), Some(encoded(secret.expose_secret())));
            } else {
                form.push(("client_secret", secret.expose_secret()));
            }
        }
        let (status, body) = http::send(request.form(&form)).await?;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        if !status.is_success() {
            let word = answer.and_then(|answer| answer.error).unwrap_or_else(|| status.to_string());
            return Err(ProviderError::CodeRefused(word.chars().take(100).collect()));
        }
        Ok(answer.and_then(|answer| answer.id_token).ok_or(TokenProblem::Malformed)?)
    }

    async fn verify(&self, metadata: &Metadata, token: &str, nonce: &str) -> Result<Value, ProviderError> {
        let parts = jws::split(token).ok_or(TokenProblem::Malformed)?;
        let expected =
            Expected { issuer: &self.settings.issuer, client: &self.settings.client, nonce, now: Utc::now() };
        let keys = self.keys(metadata, false).await?;
        // A key may have been published a moment ago; one without a name, in the place of another.
        let is_unnamed = parts.header.kid.is_none();
        match id_token::verify(&parts, &keys, &expected) {
            Err(problem)
                if problem == TokenProblem::UnknownKey || (is_unnamed && problem == TokenProblem::Signature) =>
            {
                let keys = self.keys(metadata, true).await?;
                Ok(id_token::verify(&parts, &keys, &expected)?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < FRESH) {
            return Ok(Arc::clone(&known.metadata));
        }
        match self.ask_metadata().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Some(Known { metadata: Arc::clone(&metadata), since: Instant::now() });
                Ok(metadata)
            }
            // What it said yesterday is better than nothing.
            Err(error) => known.as_ref().map(|known| Arc::clone(&known.metadata)).ok_or(error),
        }
    }

    async fn ask_metadata(&self) -> Result<Metadata, ProviderError> {
        let address = format!("{}/.well-known/openid-configuration", self.settings.issuer.trim_end_matches('/'));
        let metadata: Metadata = http::json(self.http.get(address)).await?;
        if metadata.issuer != self.settings.issuer {
            return Err(ProviderError::OtherIssuer(metadata.issuer));
        }
        let all = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        let is_safe = |url: &Url| url.scheme() == "https" || self.settings.is_local;
        if all.into_iter().chain(&metadata.end_session_endpoint).all(is_safe) {
            Ok(metadata)
        } else {
            Err(ProviderError::NoTls)
        }
    }

    /// The provider's keys, asked for again once a day, and if one was not among them. The last good ones are kept.
    async fn keys(&self, metadata: &Metadata, misses_one: bool) -> Result<Arc<KeySet>, ProviderError> {
        let mut known = self.keys.lock().await;
        if let Some(known) = known.as_mut() {
            let may_ask = misses_one && known.again.is_none_or(|again| again.elapsed() >= KEYS_AGAIN);
            if !may_ask && known.since.elapsed() < FRESH {
                return Ok(Arc::clone(&known.keys));
            }
            known.again = if misses_one { Some(Instant::now()) } else { known.again };
        }
        let asked = http::send(self.http.get(metadata.jwks_uri.clone())).await;
        let found = asked.map(|(status, body)| {
            status.is_success().then(|| KeySet::parse(&body)).flatten().filter(|keys| keys.len() > 0)
        });
        match (found, known.as_ref()) {
            (Ok(Some(keys)), last) => {
                let (keys, again) = (Arc::new(keys), last.and_then(|last| last.again));
                *known = Some(KnownKeys { keys: Arc::clone(&keys), since: Instant::now(), again });
                Ok(keys)
            }
            (_, Some(last)) => Ok(Arc::clone(&last.keys)),
            (Ok(None), None) => Err(HttpError::Unreadable.into()),
            (Err(error), None) => Err(error.into()),
        }
    }
}
