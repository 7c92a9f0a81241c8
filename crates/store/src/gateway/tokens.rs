//! API tokens of users.

use caffeine_model::{TokenId, UserId};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::audit::{self, Actor, Entry};
use super::idempotency::{self, Once};
use super::identity::NewToken;
use super::{Cursor, Page};
use crate::{Store, StoreError};

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its identifier.
    pub id: TokenId,
    /// Shown to people.
    pub name: String,
    /// `read`, `write`, `admin`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Makes a token for a user.
    ///
    /// # Errors
    /// If the database refuses; [`StoreError::AnswerGone`] if an earlier request with the same key has made it.
    pub async fn create_token(
        &self,
        by: &Actor,
        user: UserId,
        name: &str,
        scopes: &[String],
        token: &NewToken,
        once: Option<&Once>,
    ) -> Result<TokenRow, StoreError> {
        let mut tx = self.pool.begin().await?;
        if idempotency::made::<uuid::Uuid>(&mut tx, once).await?.is_some() {
            return Err(StoreError::AnswerGone);
        }
        let id = TokenId::generate();
        idempotency::remember(&mut tx, by.workspace, once, &id.as_uuid()).await?;
        let created_at = sqlx::query_scalar!(
            "INSERT INTO tokens (token_id, workspace_id, user_id, name, secret_hash, scopes, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING created_at",
            id.as_uuid(),
            by.workspace.as_uuid(),
            user.as_uuid(),
            name,
            &token.secret_hash[..],
            scopes,
            token.expires_at
        )
        .fetch_one(&mut *tx)
        .await?;
        let entry = Entry {
            action: "token.created",
            object_kind: "token",
            object_id: id.to_string(),
            detail: json!({ "name": name, "scopes": scopes, "expires_at": token.expires_at }),
        };
        audit::append(&mut tx, by, entry).await?;
        tx.commit().await?;
        Ok(TokenRow {
            id,
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            created_at,
            expires_at: token.expires_at,
            last_used_at: None,
        })
    }

    /// The tokens of a user, newest first; expired ones are left out after a month.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn tokens(&self, user: UserId, after: Option<Cursor>, limit: i64) -> Result<Page<TokenRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT token_id, name, scopes, created_at, expires_at, last_used_at FROM tokens \
             WHERE user_id = $1 AND expires_at > now() - interval '30 days' \
               AND ($2::timestamptz IS NULL OR created_at < $2 OR (created_at = $2 AND token_id > $3::uuid)) \
             ORDER BY created_at DESC, token_id LIMIT $4",
            user.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows
            .into_iter()
            .map(|row| TokenRow {
                id: TokenId::from_uuid(row.token_id),
                name: row.name,
                scopes: row.scopes,
                created_at: row.created_at,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
            })
            .collect();
        Ok(Page::cut(rows, limit, |row: &TokenRow| Cursor { key: row.created_at, id: row.id.as_uuid() }))
    }

    /// Forgets a token of a user, and with it the sessions that it opened. Says whether there was one.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn delete_token(&self, by: &Actor, user: UserId, id: TokenId) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let name = sqlx::query_scalar!(
            "DELETE FROM tokens WHERE token_id = $1 AND user_id = $2 RETURNING name",
            id.as_uuid(),
            user.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(name) = name else { return Ok(false) };
        let entry = Entry {
            action: "token.revoked",
            object_kind: "token",
            object_id: id.to_string(),
            detail: json!({ "name": name }),
        };
        audit::append(&mut tx, by, entry).await?;
        tx.commit().await?;
        Ok(true)
    }
}
