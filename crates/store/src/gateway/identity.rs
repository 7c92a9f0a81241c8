//! Workspaces, users and tokens.

use caffeine_model::{TokenId, UserId, WorkspaceId};
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

/// Whoever a valid token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The user.
    pub user: UserId,
    /// `viewer`, `author`, `maintainer`, `admin` or `auditor`.
    pub role: String,
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

    /// Whom a token belongs to, found by its hash: the comparison sees nothing of the secret, so its time tells
    /// nothing about it. `None` if it is unknown or expired or its user is inactive.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn principal_of_token(&self, secret_hash: &[u8; 32]) -> Result<Option<PrincipalRow>, StoreError> {
        let row = sqlx::query!(
            "SELECT u.workspace_id, u.user_id, u.role FROM tokens t JOIN users u USING (user_id) \
             WHERE t.secret_hash = $1 AND t.expires_at > now() AND u.active",
            &secret_hash[..]
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| PrincipalRow {
            workspace: WorkspaceId::from_uuid(row.workspace_id),
            user: UserId::from_uuid(row.user_id),
            role: row.role,
        }))
    }
}
