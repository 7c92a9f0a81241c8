//! One's API tokens.

use caffeine_model::TokenId;
use caffeine_store::gateway::{NewToken, TokenRow};
use chrono::{DateTime, Days, SubsecRound as _, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::repositories::text;
use super::{ApiError, App, Tag};
use crate::domain::role::Scope;
use crate::domain::{cursor, token};

/// The longest life of a token.
const MAX_DAYS: u32 = 365;

pub(crate) struct TokensApi {
    pub(crate) app: App,
}

/// What a token allows at most. Each holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum TokenScope {
    /// To look.
    Read,
    /// To change.
    Write,
    /// To administer.
    Admin,
}

impl From<TokenScope> for Scope {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::Read => Self::Read,
            TokenScope::Write => Self::Write,
            TokenScope::Admin => Self::Admin,
        }
    }
}

/// A token to be made.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddToken {
    /// Shown to people: what it is for.
    name: String,
    /// What it allows at most; never more than what it is made with, nor than one's role.
    scopes: Vec<TokenScope>,
    /// In how many days it ends, at most 365.
    expires_in_days: u32,
}

/// An API token without its secret.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct ApiToken {
    token: Uuid,
    name: String,
    /// `read`, `write`, `admin`.
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
}

/// A page of one's tokens.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct TokenList {
    items: Vec<ApiToken>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

/// A token that was just made.
#[derive(Object)]
struct MadeToken {
    token: Uuid,
    name: String,
    /// `read`, `write`, `admin`.
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// The token itself, shown this once: only its hash is stored.
    secret: String,
}

#[derive(ApiResponse)]
enum AddResponse {
    /// It was made.
    #[oai(status = 201)]
    Added(Json<MadeToken>),
}

#[derive(ApiResponse)]
enum RevokeResponse {
    /// It is not valid any more.
    #[oai(status = 204)]
    Revoked,
}

impl From<TokenRow> for ApiToken {
    fn from(row: TokenRow) -> Self {
        Self {
            token: row.id.as_uuid(),
            name: row.name,
            scopes: row.scopes,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Identity")]
impl TokensApi {
    /// List my API tokens
    ///
    /// Newest first; those that have expired for a month at most.
    #[oai(path = "/tokens", method = "get", operation_id = "list_tokens")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<TokenList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let page = self.app.store.tokens(auth.0.user, after, limit).await?;
        Ok(Json(TokenList {
            items: page.items.into_iter().map(ApiToken::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Make an API token
    ///
    /// It allows what its scopes and one's role allow, both. One that is made with a token ends with it at the latest.
    #[oai(path = "/tokens", method = "post", operation_id = "add_token")]
    async fn add(
        &self,
        auth: Auth,
        /// A repeat of the request with the same key within a day makes nothing. Its answer says so: the secret was in the
        /// first one alone.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<AddToken>,
    ) -> Result<AddResponse, ApiError> {
        let who = &auth.0;
        let once = once(who, &idempotency_key, "add_token", &[], &body.0)?;
        let name = text("/name", Some(&body.0.name), 100)?;
        if name.is_empty() {
            return Err(ApiError::refused("name_missing", "/name", "Say what the token is for."));
        }
        let given: Vec<Scope> = body.0.scopes.iter().map(|scope| Scope::from(*scope)).collect();
        let Some(highest) = given.iter().max() else {
            return Err(ApiError::refused("scopes_missing", "/scopes", "Name at least one scope."));
        };
        if *highest > who.scope {
            let detail = format!("You are signed in with the scope `{}` and cannot give more.", who.scope.as_str());
            return Err(ApiError::refused("scope_too_high", "/scopes", detail));
        }
        let days = body.0.expires_in_days;
        if !(1..=MAX_DAYS).contains(&days) {
            let detail = format!("Between 1 and {MAX_DAYS} days.");
            return Err(ApiError::refused("expiry_out_of_range", "/expires_in_days", detail));
        }
        let wanted = Utc::now().checked_add_days(Days::new(u64::from(days))).ok_or_else(ApiError::internal)?;
        // A token that is found by a thief must not give birth to one that outlives it.
        let expires_at = who.token_expires_at.map_or(wanted, |end| wanted.min(end));
        // As it is stored, so that lists say the same.
        let expires_at = expires_at.trunc_subsecs(6);
        let scopes: Vec<String> = Scope::ALL
            .into_iter()
            .filter(|scope| given.contains(scope))
            .map(|scope| scope.as_str().to_owned())
            .collect();
        let secret = token::generate().map_err(|error| {
            tracing::error!(error = %error, "no random bytes");
            ApiError::internal()
        })?;
        let new = NewToken { secret_hash: token::hash(&secret), expires_at };
        let row = self.app.store.create_token(&who.actor(), who.user, name, &scopes, &new, once.as_ref()).await?;
        tracing::info!(token_id = %row.id, user_id = %who.user, "token made");
        Ok(AddResponse::Added(Json(MadeToken {
            token: row.id.as_uuid(),
            name: row.name,
            scopes: row.scopes,
            created_at: row.created_at,
            expires_at: row.expires_at,
            secret,
        })))
    }

    /// Revoke an API token
    ///
    /// And the sessions that were opened with it, elsewhere within 30 seconds.
    #[oai(path = "/tokens/:token", method = "delete", operation_id = "delete_token")]
    async fn revoke(&self, auth: Auth, token: Path<Uuid>) -> Result<RevokeResponse, ApiError> {
        let id = TokenId::from_uuid(token.0);
        if !self.app.store.delete_token(&auth.0.actor(), auth.0.user, id).await? {
            return Err(ApiError::not_found("token"));
        }
        self.app.identity.forget_token(id);
        tracing::info!(token_id = %id, user_id = %auth.0.user, "token revoked");
        Ok(RevokeResponse::Revoked)
    }
}
