//! Workspaces, and whoever a token belongs to.

use caffeine_model::{SessionId, TokenId, UserId, WorkspaceId};
use chrono::{DateTime, Utc};

use crate::{Store, StoreError};

/// A token that is to be valid. The secret itself is never stored.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// SHA-256 of the token's text.
    pub secret_hash: [u8; 32],
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// Whoever a valid credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its name.
    pub workspace_name: String,
    /// The user.
    pub user: UserId,
    /// Shown to people.
    pub display_name: String,
    /// `viewer`, `author`, `maintainer`, `admin` or `auditor`.
    pub role: String,
    /// `read`, `write`, `admin`: what the token allows at most; `None` if there is no token behind it.
    pub scopes: Option<Vec<String>>,
    /// The token, or the one that the session was opened with.
    pub token: Option<TokenId>,
    /// When that token ends.
    pub token_expires_at: Option<DateTime<Utc>>,
    /// The session, if it is one.
    pub session: Option<SessionId>,
    /// When it stops being valid whatever happens.
    pub expires_at: DateTime<Utc>,
}

impl Store {
    /// Makes sure that a workspace `default` with a local administrator exists, and gives the administrator this token
    /// if there is no valid one yet, or if `always` says so. Returns whether the token is valid now.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn gateway_bootstrap(&self, token: &NewToken, always: bool) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO workspaces (workspace_id, name) VALUES ($1, 'default') ON CONFLICT (name) DO NOTHING",
            WorkspaceId::generate().as_uuid()
        )
        .execute(&mut *tx)
        .await?;
        // The lock makes one of two gateways that start together the first.
        let workspace =
            sqlx::query_scalar!("SELECT workspace_id FROM workspaces WHERE name = 'default' FOR NO KEY UPDATE")
                .fetch_one(&mut *tx)
                .await?;
        let existing = sqlx::query_scalar!(
            "SELECT user_id FROM users \
             WHERE workspace_id = $1 AND role = 'admin' AND external_id IS NULL AND active ORDER BY user_id LIMIT 1",
            workspace
        )
        .fetch_optional(&mut *tx)
        .await?;
        let user = match existing {
            Some(user) => user,
            None => {
                let user = UserId::generate().as_uuid();
                sqlx::query!(
                    "INSERT INTO users (user_id, workspace_id, display_name, role) \
                     VALUES ($1, $2, 'Administrator', 'admin')",
                    user,
                    workspace
                )
                .execute(&mut *tx)
                .await?;
                user
            }
        };
        let valid = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM tokens WHERE user_id = $1 AND expires_at > now()) AS "valid!""#,
            user
        )
        .fetch_one(&mut *tx)
        .await?;
        let wanted = always || !valid;
        if wanted {
            sqlx::query!(
                "INSERT INTO tokens (token_id, workspace_id, user_id, name, secret_hash, expires_at) \
                 VALUES ($1, $2, $3, 'first start', $4, $5) \
                 ON CONFLICT (secret_hash) DO UPDATE SET expires_at = excluded.expires_at",
                TokenId::generate().as_uuid(),
                workspace,
                user,
                &token.secret_hash[..],
                token.expires_at
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(wanted)
    }

    /// Every workspace with its name.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn workspaces(&self) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
        let rows =
            sqlx::query!("SELECT workspace_id, name FROM workspaces ORDER BY name").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (WorkspaceId::from_uuid(row.workspace_id), row.name)).collect())
    }

    /// The workspace that people who sign in by the provider belong to.
    ///
    /// # Errors
    /// If the database cannot be asked; the first start makes it.
    pub async fn default_workspace(&self) -> Result<WorkspaceId, StoreError> {
        let id = sqlx::query_scalar!("SELECT workspace_id FROM workspaces WHERE name = 'default'")
            .fetch_one(&self.pool)
            .await?;
        Ok(WorkspaceId::from_uuid(id))
    }

    /// Whom a token belongs to, found by its hash: the comparison sees nothing of the secret, so its time tells
    /// nothing about it. `None` if it is unknown or expired or its user is inactive. Remembers the use, to the minute.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn principal_of_token(&self, secret_hash: &[u8; 32]) -> Result<Option<PrincipalRow>, StoreError> {
        let row = sqlx::query!(
            "WITH found AS ( \
                 SELECT t.token_id, t.scopes, t.expires_at, u.workspace_id, u.user_id, u.display_name, u.role, \
                        w.name AS workspace_name \
                 FROM tokens t JOIN users u USING (user_id) JOIN workspaces w ON w.workspace_id = u.workspace_id \
                 WHERE t.secret_hash = $1 AND t.expires_at > now() AND u.active \
             ), used AS ( \
                 UPDATE tokens SET last_used_at = now() FROM found \
                 WHERE tokens.token_id = found.token_id \
                   AND (tokens.last_used_at IS NULL OR tokens.last_used_at < now() - interval '1 minute') \
             ), seen AS ( \
                 UPDATE users SET last_seen_at = now() FROM found \
                 WHERE users.user_id = found.user_id \
                   AND (users.last_seen_at IS NULL OR users.last_seen_at < now() - interval '1 minute') \
             ) \
             SELECT token_id, scopes, expires_at, workspace_id, user_id, display_name, role, workspace_name FROM found",
            &secret_hash[..]
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| PrincipalRow {
            workspace: WorkspaceId::from_uuid(row.workspace_id),
            workspace_name: row.workspace_name,
            user: UserId::from_uuid(row.user_id),
            display_name: row.display_name,
            role: row.role,
            scopes: Some(row.scopes),
            token: Some(TokenId::from_uuid(row.token_id)),
            token_expires_at: Some(row.expires_at),
            session: None,
            expires_at: row.expires_at,
        }))
    }
}
