//! People who have signed in with a browser.

use std::collections::HashSet;

use caffeine_model::{SessionId, TokenId, UserId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::identity::PrincipalRow;
use super::{Cursor, Page};
use crate::{Store, StoreError};

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// Seconds without a request until it ends.
    pub idle_seconds: u32,
    /// Seconds until it ends whatever happens.
    pub seconds: u32,
}

/// A session that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSession {
    /// Its identifier.
    pub id: SessionId,
    /// When it ends whatever happens.
    pub expires_at: DateTime<Utc>,
}

/// A session of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its identifier.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends whatever happens.
    pub expires_at: DateTime<Utc>,
}

/// Sessions and tokens that are still good.
#[derive(Debug, Default)]
pub struct LivingCredentials {
    /// Of the sessions that were asked about.
    pub sessions: HashSet<SessionId>,
    /// Of the tokens.
    pub tokens: HashSet<TokenId>,
}

/// Opens a session inside a transaction; of a token it ends with the token. Forgets old ones on the way.
pub(super) async fn open(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    user: UserId,
    token: Option<TokenId>,
    life: SessionLife,
) -> Result<OpenedSession, StoreError> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at < now()").execute(&mut *connection).await?;
    let id = SessionId::generate();
    let expires_at = sqlx::query_scalar!(
        "INSERT INTO sessions (session_id, workspace_id, user_id, token_id, expires_at) \
         VALUES ($1, $2, $3, $4::uuid, \
                 least(now() + make_interval(secs => $5), (SELECT expires_at FROM tokens WHERE token_id = $4))) \
         RETURNING expires_at",
        id.as_uuid(),
        workspace.as_uuid(),
        user.as_uuid(),
        token.map(TokenId::as_uuid),
        f64::from(life.seconds)
    )
    .fetch_one(connection)
    .await?;
    Ok(OpenedSession { id, expires_at })
}

/// What the log says about a session that was opened.
pub(super) fn opened(id: SessionId, by: &'static str) -> Entry {
    Entry {
        action: "session.opened",
        object_kind: "session",
        object_id: id.to_string(),
        detail: json!({ "signed_in_by": by }),
    }
}

impl Store {
    /// Opens a session for whoever has shown a token.
    ///
    /// # Errors
    /// If the database refuses; [`StoreError::ReferenceGone`] if user or token are gone meanwhile.
    pub async fn open_session(
        &self,
        by: &Actor,
        user: UserId,
        token: TokenId,
        life: SessionLife,
    ) -> Result<OpenedSession, StoreError> {
        let mut tx = self.pool.begin().await?;
        let session = open(&mut tx, by.workspace, user, Some(token), life).await?;
        audit::append(&mut tx, by, opened(session.id, "token")).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Whom a session belongs to, if it lives: neither idle for too long nor at its end, its user active and its token
    /// valid. Remembers the use, to the minute.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn principal_of_session(
        &self,
        id: SessionId,
        life: SessionLife,
    ) -> Result<Option<PrincipalRow>, StoreError> {
        let row = sqlx::query!(
            r#"WITH found AS (
                   SELECT s.session_id, s.token_id, s.expires_at, t.expires_at AS token_expires_at, t.scopes,
                          u.workspace_id, u.user_id, u.display_name, u.role, w.name AS workspace_name
                   FROM sessions s JOIN users u USING (user_id) JOIN workspaces w ON w.workspace_id = u.workspace_id
                   LEFT JOIN tokens t ON t.token_id = s.token_id
                   WHERE s.session_id = $1 AND s.expires_at > now() AND u.active
                     AND s.last_seen_at > now() - make_interval(secs => $2)
                     AND (s.token_id IS NULL OR t.expires_at > now())
               ), used AS (
                   UPDATE sessions SET last_seen_at = now() FROM found
                   WHERE sessions.session_id = found.session_id
                     AND sessions.last_seen_at < now() - interval '1 minute'
               ), seen AS (
                   UPDATE users SET last_seen_at = now() FROM found
                   WHERE users.user_id = found.user_id
                     AND (users.last_seen_at IS NULL OR users.last_seen_at < now() - interval '1 minute')
               )
               SELECT session_id, token_id, expires_at, token_expires_at AS "token_expires_at?", scopes AS "scopes?",
                      workspace_id, user_id, display_name, role, workspace_name
               FROM found"#,
            id.as_uuid(),
            f64::from(life.idle_seconds)
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| PrincipalRow {
            workspace: WorkspaceId::from_uuid(row.workspace_id),
            workspace_name: row.workspace_name,
            user: UserId::from_uuid(row.user_id),
            display_name: row.display_name,
            role: row.role,
            scopes: row.scopes,
            token: row.token_id.map(TokenId::from_uuid),
            token_expires_at: row.token_expires_at,
            session: Some(SessionId::from_uuid(row.session_id)),
            expires_at: row.expires_at,
        }))
    }

    /// Which of these sessions and tokens still live, by the rules of [`Store::principal_of_session`] and
    /// [`Store::principal_of_token`]. To be asked is no use of them.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn living_credentials(
        &self,
        sessions: &[SessionId],
        tokens: &[TokenId],
        life: SessionLife,
    ) -> Result<LivingCredentials, StoreError> {
        let sessions: Vec<Uuid> = sessions.iter().map(|id| id.as_uuid()).collect();
        let tokens: Vec<Uuid> = tokens.iter().map(|id| id.as_uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT s.session_id AS "session?", NULL::uuid AS "token?"
               FROM sessions s JOIN users u USING (user_id) LEFT JOIN tokens t ON t.token_id = s.token_id
               WHERE s.session_id = ANY($1) AND s.expires_at > now() AND u.active
                 AND s.last_seen_at > now() - make_interval(secs => $3)
                 AND (s.token_id IS NULL OR t.expires_at > now())
               UNION ALL
               SELECT NULL, t.token_id FROM tokens t JOIN users u USING (user_id)
               WHERE t.token_id = ANY($2) AND t.expires_at > now() AND u.active"#,
            &sessions,
            &tokens,
            f64::from(life.idle_seconds)
        )
        .fetch_all(&self.pool)
        .await?;
        let mut living = LivingCredentials::default();
        for row in rows {
            living.sessions.extend(row.session.map(SessionId::from_uuid));
            living.tokens.extend(row.token.map(TokenId::from_uuid));
        }
        Ok(living)
    }

    /// The living sessions of a user, newest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn sessions(
        &self,
        user: UserId,
        life: SessionLife,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<SessionRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT session_id, created_at, last_seen_at, expires_at FROM sessions \
             WHERE user_id = $1 AND expires_at > now() AND last_seen_at > now() - make_interval(secs => $2) \
               AND ($3::timestamptz IS NULL OR created_at < $3 OR (created_at = $3 AND session_id > $4::uuid)) \
             ORDER BY created_at DESC, session_id LIMIT $5",
            user.as_uuid(),
            f64::from(life.idle_seconds),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows
            .into_iter()
            .map(|row| SessionRow {
                id: SessionId::from_uuid(row.session_id),
                created_at: row.created_at,
                last_seen_at: row.last_seen_at,
                expires_at: row.expires_at,
            })
            .collect();
        Ok(Page::cut(rows, limit, |row: &SessionRow| Cursor { key: row.created_at, id: row.id.as_uuid() }))
    }

    /// Ends a session of a user. Says whether there was one.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn close_session(&self, by: &Actor, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let closed =
            sqlx::query!("DELETE FROM sessions WHERE session_id = $1 AND user_id = $2", id.as_uuid(), user.as_uuid())
                .execute(&mut *tx)
                .await?;
        if closed.rows_affected() == 0 {
            return Ok(false);
        }
        let entry =
            Entry { action: "session.closed", object_kind: "session", object_id: id.to_string(), detail: json!({}) };
        audit::append(&mut tx, by, entry).await?;
        tx.commit().await?;
        Ok(true)
    }
}
