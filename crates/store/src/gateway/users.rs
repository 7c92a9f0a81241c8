//! Users: those whom the provider sends, and those of the installation.

use caffeine_model::{UserId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::sessions::{self, OpenedSession, SessionLife};
use super::{Cursor, Page};
use crate::{Store, StoreError};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The identifier.
    pub id: UserId,
    /// Shown to people.
    pub display_name: String,
    /// Whom the provider means; `None` for a user of the installation.
    pub external_id: Option<String>,
    /// `viewer`, `author`, `maintainer`, `admin` or `auditor`.
    pub role: String,
    /// `provider` or `local`: who says the role.
    pub role_source: String,
    /// Whether the user may do anything.
    pub active: bool,
    /// When the user was first seen.
    pub created_at: DateTime<Utc>,
    /// When the user last did something, to the minute.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Counts the changes.
    pub revision: u32,
}

struct Raw {
    user_id: Uuid,
    display_name: String,
    external_id: Option<String>,
    role: String,
    role_source: String,
    active: bool,
    created_at: DateTime<Utc>,
    last_seen_at: Option<DateTime<Utc>>,
    revision: i32,
}

impl From<Raw> for UserRow {
    fn from(raw: Raw) -> Self {
        Self {
            id: UserId::from_uuid(raw.user_id),
            display_name: raw.display_name,
            external_id: raw.external_id,
            role: raw.role,
            role_source: raw.role_source,
            active: raw.active,
            created_at: raw.created_at,
            last_seen_at: raw.last_seen_at,
            revision: raw.revision.unsigned_abs(),
        }
    }
}

/// Whom a provider has vouched for.
#[derive(Debug, Clone)]
pub struct ProviderUser {
    /// Whom the provider means.
    pub external_id: String,
    /// Shown to people.
    pub display_name: String,
    /// The role that the provider gives.
    pub role: &'static str,
}

/// What a sign-in came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedIn {
    /// A session was opened.
    Opened(OpenedSession),
    /// An administrator has switched the user off.
    Inactive,
}

/// What is to be different about a user.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserChange {
    /// Another role, from now on set here.
    pub role: Option<&'static str>,
    /// Whether the user may do anything.
    pub active: Option<bool>,
}

/// What changing a user came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChanged {
    /// As the user is now.
    Done(UserRow),
    /// There is no such user in the workspace.
    Unknown,
    /// Somebody else has changed the user meanwhile.
    Outdated,
    /// Nobody could administer the workspace any more.
    LastAdministrator,
}

impl Store {
    /// Signs in whom the provider has vouched for: makes the user on the first time, follows the provider's role unless
    /// an administrator has set one here, and opens a session.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn sign_in(
        &self,
        workspace: WorkspaceId,
        who: &ProviderUser,
        ip: Option<String>,
        life: SessionLife,
    ) -> Result<SignedIn, StoreError> {
        let mut tx = self.pool.begin().await?;
        let made = sqlx::query!(
            "INSERT INTO users (user_id, workspace_id, display_name, external_id, role, role_source, last_seen_at) \
             VALUES ($1, $2, $3, $4, $5, 'provider', now()) ON CONFLICT (external_id) DO NOTHING",
            UserId::generate().as_uuid(),
            workspace.as_uuid(),
            who.display_name,
            who.external_id,
            who.role
        )
        .execute(&mut *tx)
        .await?;
        let user = sqlx::query!(
            "SELECT user_id, workspace_id, role, role_source, active FROM users \
             WHERE external_id = $1 FOR NO KEY UPDATE",
            who.external_id
        )
        .fetch_one(&mut *tx)
        .await?;
        let (id, workspace) = (UserId::from_uuid(user.user_id), WorkspaceId::from_uuid(user.workspace_id));
        let by = Actor { workspace, user: Some(id), name: who.display_name.clone(), ip };
        if !user.active {
            let entry = Entry {
                action: "sign_in.refused",
                object_kind: "user",
                object_id: id.to_string(),
                detail: json!({ "reason": "inactive" }),
            };
            audit::append(&mut tx, &by, entry).await?;
            tx.commit().await?;
            return Ok(SignedIn::Inactive);
        }
        let follows = user.role_source == "provider" && user.role != who.role;
        let role = if follows { who.role } else { user.role.as_str() };
        sqlx::query!(
            "UPDATE users SET display_name = $2, role = $3, last_seen_at = now(), \
                    revision = revision + (role <> $3)::int \
             WHERE user_id = $1",
            id.as_uuid(),
            who.display_name,
            role
        )
        .execute(&mut *tx)
        .await?;
        let session = sessions::open(&mut tx, workspace, id, None, life).await?;
        let about = |action, detail| Entry { action, object_kind: "user", object_id: id.to_string(), detail };
        if made.rows_affected() == 1 {
            let detail = json!({ "external_id": who.external_id, "role": role });
            audit::append(&mut tx, &by, about("user.created", detail)).await?;
        } else if follows {
            let detail = json!({ "from": user.role, "to": role, "source": "provider" });
            audit::append(&mut tx, &by, about("user.role_changed", detail)).await?;
        }
        audit::append(&mut tx, &by, sessions::opened(session.id, "provider")).await?;
        tx.commit().await?;
        Ok(SignedIn::Opened(session))
    }

    /// The users of a workspace, newest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn users(
        &self,
        workspace: WorkspaceId,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<UserRow>, StoreError> {
        let rows = sqlx::query_as!(
            Raw,
            "SELECT user_id, display_name, external_id, role, role_source, active, created_at, last_seen_at, revision \
             FROM users WHERE workspace_id = $1 \
               AND ($2::timestamptz IS NULL OR created_at < $2 OR (created_at = $2 AND user_id > $3::uuid)) \
             ORDER BY created_at DESC, user_id LIMIT $4",
            workspace.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(UserRow::from).collect();
        Ok(Page::cut(rows, limit, |row: &UserRow| Cursor { key: row.created_at, id: row.id.as_uuid() }))
    }

    /// One user of a workspace.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn user(&self, workspace: WorkspaceId, id: UserId) -> Result<Option<UserRow>, StoreError> {
        let row = sqlx::query_as!(
            Raw,
            "SELECT user_id, display_name, external_id, role, role_source, active, created_at, last_seen_at, revision \
             FROM users WHERE workspace_id = $1 AND user_id = $2",
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(UserRow::from))
    }

    /// Changes a user who is still at this revision, unless no active administrator would be left. Whoever is switched
    /// off loses the sessions at once.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn change_user(
        &self,
        by: &Actor,
        id: UserId,
        revision: u32,
        change: UserChange,
    ) -> Result<UserChanged, StoreError> {
        let workspace = by.workspace;
        let mut tx = self.pool.begin().await?;
        // One change of users at a time, so that two administrators cannot switch each other off.
        sqlx::query!("SELECT name FROM workspaces WHERE workspace_id = $1 FOR NO KEY UPDATE", workspace.as_uuid())
            .fetch_optional(&mut *tx)
            .await?;
        let Some(before) = sqlx::query!(
            "SELECT role, active, revision FROM users WHERE workspace_id = $1 AND user_id = $2 FOR NO KEY UPDATE",
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?
        else {
            return Ok(UserChanged::Unknown);
        };
        if before.revision.unsigned_abs() != revision {
            return Ok(UserChanged::Outdated);
        }
        let after = sqlx::query_as!(
            Raw,
            "UPDATE users SET role = coalesce($2, role), active = coalesce($3, active), revision = revision + 1, \
                    role_source = CASE WHEN $2 IS NULL THEN role_source ELSE 'local' END \
             WHERE user_id = $1 \
             RETURNING user_id, display_name, external_id, role, role_source, active, created_at, last_seen_at, revision",
            id.as_uuid(),
            change.role,
            change.active
        )
        .fetch_one(&mut *tx)
        .await?;
        let administrators = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM users WHERE workspace_id = $1 AND role = 'admin' AND active) AS "any!""#,
            workspace.as_uuid()
        )
        .fetch_one(&mut *tx)
        .await?;
        if !administrators {
            return Ok(UserChanged::LastAdministrator);
        }
        if !after.active {
            sqlx::query!("DELETE FROM sessions WHERE user_id = $1", id.as_uuid()).execute(&mut *tx).await?;
        }
        let about = |action, detail| Entry { action, object_kind: "user", object_id: id.to_string(), detail };
        if before.role != after.role {
            let detail = json!({ "from": before.role, "to": after.role, "source": "local" });
            audit::append(&mut tx, by, about("user.role_changed", detail)).await?;
        }
        if before.active != after.active {
            let action = if after.active { "user.activated" } else { "user.deactivated" };
            audit::append(&mut tx, by, about(action, json!({}))).await?;
        }
        tx.commit().await?;
        Ok(UserChanged::Done(after.into()))
    }
}
