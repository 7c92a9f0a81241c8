//! Signing in and out, and who one is.

use std::net::IpAddr;

use caffeine_model::SessionId;
use caffeine_store::StoreError;
use caffeine_store::gateway::{Actor, Entry};
use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::{ApiError, App, Tag};
use crate::domain::cursor;
use crate::domain::role::Scope;
use crate::identity::Principal;

pub(crate) struct SessionApi {
    pub(crate) app: App,
}

/// The identity provider of this installation.
#[derive(Debug, Object)]
struct SignInProvider {
    /// Shown on the button that leads to `GET /login`.
    name: String,
}

/// The ways to sign in.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct SignIn {
    /// By the identity provider, if there is one.
    provider: Option<SignInProvider>,
    /// With an API token, by `POST /api/v1/session`.
    token: bool,
}

/// What one signs in with. Not derived from `Debug`, so that nothing can log it.
#[derive(Object, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenSession {
    /// An API token.
    #[oai(write_only)]
    token: String,
}

/// What is left to do after signing out.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct SignedOut {
    /// Where the browser goes to sign out at the provider, too.
    provider_logout_url: Option<String>,
}

/// Whoever is signed in.
#[derive(Debug, Object)]
struct Me {
    user: Uuid,
    display_name: String,
    /// `viewer`, `auditor`, `author`, `maintainer` or `admin`.
    role: String,
    workspace: Uuid,
    workspace_name: String,
    /// `provider` or `token`.
    signed_in_by: String,
    /// What this credential allows at most: `read`, `write`, `admin`.
    scopes: Vec<String>,
    /// When it ends whatever happens.
    expires_at: DateTime<Utc>,
}

/// A session of a browser.
#[derive(Debug, Object)]
struct Session {
    session: Uuid,
    created_at: DateTime<Utc>,
    /// To the minute.
    last_seen_at: DateTime<Utc>,
    /// When it ends whatever happens.
    expires_at: DateTime<Utc>,
    /// Whether this request belongs to it.
    current: bool,
}

/// A page of one's sessions.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct SessionList {
    items: Vec<Session>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum OpenResponse {
    /// Signed in.
    #[oai(status = 204)]
    Opened(
        /// The session.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum CloseResponse {
    /// Signed out.
    #[oai(status = 200)]
    Closed(
        Json<SignedOut>,
        /// Forgets the session.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum RevokeResponse {
    /// It has ended.
    #[oai(status = 204)]
    Revoked,
}

impl From<Principal> for Me {
    fn from(who: Principal) -> Self {
        let scopes = Scope::ALL.into_iter().filter(|scope| *scope <= who.scope);
        Self {
            user: who.user.as_uuid(),
            display_name: who.display_name,
            role: who.role.to_string(),
            workspace: who.workspace.as_uuid(),
            workspace_name: who.workspace_name,
            signed_in_by: if who.token.is_some() { "token" } else { "provider" }.to_owned(),
            scopes: scopes.map(|scope| scope.as_str().to_owned()).collect(),
            expires_at: who.expires_at,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Identity")]
impl SessionApi {
    /// Ways to sign in
    ///
    /// Answered to anybody: what the page for signing in offers.
    #[oai(path = "/sign-in", method = "get", operation_id = "get_sign_in")]
    async fn ways(&self) -> Result<Json<SignIn>, ApiError> {
        let token = self.app.identity.takes_tokens();
        let provider = self.app.identity.provider.as_ref();
        let provider = provider.map(|provider| SignInProvider { name: provider.settings.name.clone() });
        Ok(Json(SignIn { provider, token }))
    }

    /// Sign in with an API token
    ///
    /// For browsers: answers with a cookie. The session ends with the token at the latest and may do what the token may.
    /// It takes no `Idempotency-Key`: a repeat opens another session, and one whose cookie was lost ends unused.
    #[oai(path = "/session", method = "post", operation_id = "open_session")]
    async fn open(&self, ip: Data<&Option<IpAddr>>, body: Body<OpenSession>) -> Result<OpenResponse, ApiError> {
        let identity = &self.app.identity;
        if !identity.takes_tokens() {
            let detail = "Nobody signs in with a token here. Its operator sets `gateway.session_keys`, or uses the \
                          identity provider.";
            return Err(ApiError::forbidden(detail));
        }
        let found = identity.by_token(&body.0.token, *ip.0).await?;
        let Some((who, token)) = found.and_then(|who| Some((who.clone(), who.token?))) else {
            self.app.refused_sign_in(*ip.0, json!({ "signed_in_by": "token" })).await?;
            return Err(ApiError::unauthorised("token_refused", "This token is not valid, or not any more."));
        };
        let session = self.app.store.open_session(&who.actor(), who.user, token, identity.settings.life).await?;
        tracing::info!(user_id = %who.user, session_id = %session.id, "signed in with a token");
        Ok(OpenResponse::Opened(identity.session_cookie(&session).ok_or_else(ApiError::internal)?))
    }

    /// Sign out
    #[oai(path = "/session", method = "delete", operation_id = "close_session")]
    async fn close(&self, auth: Auth) -> Result<CloseResponse, ApiError> {
        let Some(session) = auth.0.session else {
            let detail = "This request brings a token and no session. DELETE /api/v1/tokens/{token} revokes a token.";
            return Err(ApiError::conflict("no_session", detail));
        };
        self.end(&auth.0, session).await?;
        let by_provider = self.app.identity.provider.as_ref().filter(|_| auth.0.token.is_none());
        let url = match by_provider {
            Some(provider) => provider.logout_url().await,
            None => None,
        };
        let body = SignedOut { provider_logout_url: url.map(String::from) };
        Ok(CloseResponse::Closed(Json(body), self.app.identity.no_session_cookie()))
    }

    /// Who am I
    #[oai(path = "/me", method = "get", operation_id = "get_me")]
    async fn me(&self, auth: Auth) -> Result<Json<Me>, ApiError> {
        Ok(Json(auth.0.into()))
    }

    /// List my sessions
    ///
    /// Newest first.
    #[oai(path = "/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<SessionList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let page = self.app.store.sessions(auth.0.user, self.app.identity.settings.life, after, limit).await?;
        let session = |row: caffeine_store::gateway::SessionRow| Session {
            session: row.id.as_uuid(),
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            current: auth.0.session == Some(row.id),
        };
        Ok(Json(SessionList {
            items: page.items.into_iter().map(session).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// End one of my sessions
    ///
    /// Elsewhere it is noticed within 30 seconds.
    #[oai(path = "/sessions/:session", method = "delete", operation_id = "delete_session")]
    async fn revoke(&self, auth: Auth, session: Path<Uuid>) -> Result<RevokeResponse, ApiError> {
        if !self.end(&auth.0, SessionId::from_uuid(session.0)).await? {
            return Err(ApiError::not_found("session"));
        }
        Ok(RevokeResponse::Revoked)
    }
}

impl SessionApi {
    async fn end(&self, who: &Principal, session: SessionId) -> Result<bool, ApiError> {
        let ended = self.app.store.close_session(&who.actor(), who.user, session).await?;
        self.app.identity.forget_session(session);
        Ok(ended)
    }
}

impl App {
    /// Puts into the log that nobody was let in.
    pub(crate) async fn refused_sign_in(
        &self,
        ip: Option<IpAddr>,
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        let workspace = self.store.default_workspace().await?;
        let by_nobody =
            Actor { workspace, user: None, name: "nobody".to_owned(), ip: ip.map(|address| address.to_string()) };
        let entry = Entry { action: "sign_in.refused", object_kind: "session", object_id: String::new(), detail };
        self.store.record(&by_nobody, entry).await
    }
}
