//! Signing in by the identity provider: there and back. These two are for browsers, so they answer with a place to go.

use std::net::IpAddr;

use caffeine_store::StoreError;
use caffeine_store::gateway::{ProviderUser, SignedIn};
use chrono::Utc;
use poem::http::{StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};
use serde::Deserialize;
use serde_json::json;

use super::App;
use crate::identity::cookie;
use crate::identity::provider::{LOGIN_KIND, Login, Provider, ProviderError, RoleProblem, return_path};

/// `GET /login`: to the provider.
pub(crate) struct Begin {
    pub(crate) app: App,
}

/// `GET /login/callback`: back from it.
pub(crate) struct Callback {
    pub(crate) app: App,
}

/// Why nobody was signed in, as the page for signing in is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// There is no provider.
    NoProvider,
    /// It took too long, or another browser began it.
    Expired,
    /// The person, or the provider, said no.
    Denied,
    /// The provider's answer is not one to this question.
    Invalid,
    /// The provider cannot be reached.
    Unreachable,
    /// The provider gives no role here.
    NoRole,
    /// The provider has left out the list of groups.
    GroupsOverage,
    /// An administrator has switched the user off.
    Inactive,
    /// Our own fault.
    Internal,
}

impl Refusal {
    const fn code(self) -> &'static str {
        match self {
            Self::NoProvider => "no_provider",
            Self::Expired => "login_expired",
            Self::Denied => "denied",
            Self::Invalid => "invalid_answer",
            Self::Unreachable => "provider_unreachable",
            Self::NoRole => "no_role",
            Self::GroupsOverage => "groups_overage",
            Self::Inactive => "inactive",
            Self::Internal => "internal",
        }
    }
}

impl From<&ProviderError> for Refusal {
    fn from(error: &ProviderError) -> Self {
        match error {
            ProviderError::Http(_) => Self::Unreachable,
            ProviderError::OtherIssuer(_) | ProviderError::NoTls | ProviderError::Token(_) => Self::Invalid,
            ProviderError::CodeRefused(_) => Self::Denied,
            ProviderError::Role(RoleProblem::Overage) => Self::GroupsOverage,
            ProviderError::Role(RoleProblem::NoRole) => Self::NoRole,
            ProviderError::Role(RoleProblem::NoIdentity) => Self::Invalid,
        }
    }
}

/// What the provider sends a browser back with.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    to: Option<String>,
}

impl Endpoint for Begin {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let wanted: Wanted = request.params().unwrap_or_default();
        let begun = self.begin(return_path(wanted.to.as_deref())).await;
        Ok(begun.unwrap_or_else(|refusal| refused(refusal, None)))
    }
}

impl Begin {
    async fn begin(&self, to: &str) -> Result<Response, Refusal> {
        let identity = &self.app.identity;
        let provider = identity.provider.as_ref().ok_or(Refusal::NoProvider)?;
        let keys = identity.settings.keys.as_ref().ok_or(Refusal::NoProvider)?;
        let login = Login::begin(to, Utc::now().timestamp()).map_err(|_| Refusal::Internal)?;
        let url = provider.authorize_url(&login).await.map_err(|error| {
            log(&error);
            Refusal::from(&error)
        })?;
        let text = keys.sign(LOGIN_KIND, &login).ok_or(Refusal::Internal)?;
        let cookies = identity.settings.cookies;
        let cookie = cookies.set(cookies.login(), &text, Login::SECONDS);
        Ok(found(url.as_str(), &[cookie]))
    }
}

impl Endpoint for Callback {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let cookies = self.app.identity.settings.cookies;
        // Whatever comes of it: what began is at its end.
        let over = cookies.clear(cookies.login());
        let outcome = self.finish(&request).await;
        Ok(match outcome {
            Ok((to, session)) => found(&to, &[session, over]),
            Err(refusal) => refused(refusal, Some(over)),
        })
    }
}

impl Callback {
    /// Where to go, and the session.
    async fn finish(&self, request: &Request) -> Result<(String, String), Refusal> {
        let identity = &self.app.identity;
        let provider = identity.provider.as_ref().ok_or(Refusal::NoProvider)?;
        let answer: Answer = request.params().unwrap_or_default();
        let text = cookie::value(request, identity.settings.cookies.login()).ok_or(Refusal::Expired)?;
        let keys = identity.settings.keys.as_ref().ok_or(Refusal::NoProvider)?;
        let login: Login = keys.verify(LOGIN_KIND, text).ok_or(Refusal::Expired)?;
        let state = answer.state.as_deref().unwrap_or_default();
        if !login.is_answered_by(state, Utc::now().timestamp()) {
            return Err(Refusal::Expired);
        }
        let ip = request.extensions().get::<Option<IpAddr>>().copied().flatten();
        match self.signed_in(provider, &answer, &login, ip).await {
            Ok(session) => Ok((login.to, session)),
            Err(refusal) => {
                let reason = json!({ "signed_in_by": "provider", "reason": refusal.code() });
                // Of a user who is switched off it stands in the log already, by name.
                if refusal != Refusal::Inactive
                    && let Err(error) = self.app.refused_sign_in(ip, reason).await
                {
                    tracing::warn!(error = %error, "a refused sign-in cannot be recorded");
                }
                Err(refusal)
            }
        }
    }

    async fn signed_in(
        &self,
        provider: &Provider,
        answer: &Answer,
        login: &Login,
        ip: Option<IpAddr>,
    ) -> Result<String, Refusal> {
        if answer.iss.as_ref().is_some_and(|issuer| *issuer != provider.settings.issuer) {
            return Err(Refusal::Invalid);
        }
        if let Some(word) = &answer.error {
            tracing::info!(error = word.chars().take(100).collect::<String>(), "the provider has refused a sign-in");
            return Err(Refusal::Denied);
        }
        let code = answer.code.as_deref().ok_or(Refusal::Invalid)?;
        let vouched = provider.exchange(code, login).await.map_err(|error| {
            log(&error);
            Refusal::from(&error)
        })?;
        let who = ProviderUser {
            external_id: vouched.external_id,
            display_name: vouched.display_name,
            role: vouched.role.as_str(),
        };
        let life = self.app.identity.settings.life;
        let workspace = self.app.store.default_workspace().await.map_err(|error| internal(&error))?;
        let ip = ip.map(|ip| ip.to_string());
        match self.app.store.sign_in(workspace, &who, ip, life).await.map_err(|error| internal(&error))? {
            SignedIn::Opened(session) => {
                tracing::info!(session_id = %session.id, "signed in by the provider");
                self.app.identity.session_cookie(&session).ok_or(Refusal::Internal)
            }
            SignedIn::Inactive => Err(Refusal::Inactive),
        }
    }
}

fn log(error: &ProviderError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, "nobody was signed in");
}

fn internal(error: &StoreError) -> Refusal {
    tracing::warn!(error = %error, "a sign-in cannot be stored");
    Refusal::Internal
}

/// To another place, with cookies.
fn found(location: &str, cookies: &[String]) -> Response {
    let mut response = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, location);
    for cookie in cookies {
        response = response.header(header::SET_COOKIE, cookie);
    }
    response.finish().into_response()
}

/// Back to the page for signing in, which says why.
fn refused(refusal: Refusal, over: Option<String>) -> Response {
    found(&format!("/sign-in?error={}", refusal.code()), over.as_slice())
}
