//! Credentials for git hosts. Their boxes go in here and never come out to the gateway again.

use caffeine_model::{CredentialId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::audit::{self, Actor, Entry};
use super::idempotency::{self, Once};
use super::{Cursor, Page};
use crate::{Store, StoreError};

/// A credential to be stored.
#[derive(Debug)]
pub struct NewCredential {
    /// Its identifier, which its box is sealed for.
    pub id: CredentialId,
    /// Shown to people, unique in the workspace.
    pub name: String,
    /// Its kind in one word.
    pub kind: &'static str,
    /// The only `host:port` it may be shown to.
    pub host: String,
    /// The box.
    pub sealed: Vec<u8>,
}

/// A credential without its box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// Its identifier.
    pub id: CredentialId,
    /// Shown to people.
    pub name: String,
    /// Its kind in one word.
    pub kind: String,
    /// The only `host:port` it may be shown to.
    pub host: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// When its secret was last replaced.
    pub replaced_at: Option<DateTime<Utc>>,
    /// How many repositories use it.
    pub repositories: i64,
}

struct Raw {
    credential_id: uuid::Uuid,
    name: String,
    kind: String,
    host: String,
    created_at: DateTime<Utc>,
    replaced_at: Option<DateTime<Utc>>,
    repositories: i64,
}

impl From<Raw> for CredentialRow {
    fn from(raw: Raw) -> Self {
        Self {
            id: CredentialId::from_uuid(raw.credential_id),
            name: raw.name,
            kind: raw.kind,
            host: raw.host,
            created_at: raw.created_at,
            replaced_at: raw.replaced_at,
            repositories: raw.repositories,
        }
    }
}

fn about(action: &'static str, id: CredentialId, detail: serde_json::Value) -> Entry {
    Entry { action, object_kind: "credential", object_id: id.to_string(), detail }
}

impl Store {
    /// Stores a credential; its identifier, or that of an earlier one of the same request.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the workspace has one of that name.
    pub async fn create_credential(
        &self,
        by: &Actor,
        new: &NewCredential,
        once: Option<&Once>,
    ) -> Result<CredentialId, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return Ok(CredentialId::from_uuid(made));
        }
        idempotency::remember(&mut tx, by.workspace, once, &new.id.as_uuid()).await?;
        sqlx::query!(
            "INSERT INTO credentials (credential_id, workspace_id, name, kind, host, sealed) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            new.id.as_uuid(),
            by.workspace.as_uuid(),
            new.name,
            new.kind,
            new.host,
            new.sealed
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "name": new.name, "kind": new.kind, "host": new.host });
        audit::append(&mut tx, by, about("credential.stored", new.id, detail)).await?;
        tx.commit().await?;
        Ok(new.id)
    }

    /// Puts another box in the place of a credential's. The new one is sealed for the same place. Says whether there is
    /// such a credential.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn replace_credential(&self, by: &Actor, id: CredentialId, sealed: &[u8]) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let replaced = sqlx::query!(
            "UPDATE credentials SET sealed = $3, replaced_at = now() WHERE workspace_id = $1 AND credential_id = $2",
            by.workspace.as_uuid(),
            id.as_uuid(),
            sealed
        )
        .execute(&mut *tx)
        .await?;
        if replaced.rows_affected() == 0 {
            return Ok(false);
        }
        audit::append(&mut tx, by, about("credential.replaced", id, json!({}))).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Forgets a credential; repositories that used it go on without. Says whether there was one.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn delete_credential(&self, by: &Actor, id: CredentialId) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let name = sqlx::query_scalar!(
            "DELETE FROM credentials WHERE workspace_id = $1 AND credential_id = $2 RETURNING name",
            by.workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(name) = name else { return Ok(false) };
        audit::append(&mut tx, by, about("credential.deleted", id, json!({ "name": name }))).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The credentials of a workspace, by name.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn credentials(
        &self,
        workspace: WorkspaceId,
        after: Option<Cursor<String>>,
        limit: i64,
    ) -> Result<Page<CredentialRow, String>, StoreError> {
        let rows = sqlx::query_as!(
            Raw,
            r#"SELECT c.credential_id, c.name, c.kind, c.host, c.created_at, c.replaced_at,
                      (SELECT count(*) FROM repositories p WHERE p.credential_id = c.credential_id) AS "repositories!"
               FROM credentials c
               WHERE c.workspace_id = $1
                 AND ($2::text IS NULL OR (c.name, c.credential_id) > ($2, $3::uuid))
               ORDER BY c.name, c.credential_id LIMIT $4"#,
            workspace.as_uuid(),
            after.as_ref().map(|cursor| cursor.key.as_str()),
            after.as_ref().map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(CredentialRow::from).collect();
        let cursor = |row: &CredentialRow| Cursor { key: row.name.clone(), id: row.id.as_uuid() };
        Ok(Page::cut(rows, limit, cursor))
    }

    /// One credential of a workspace.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<CredentialRow>, StoreError> {
        let row = sqlx::query_as!(
            Raw,
            r#"SELECT c.credential_id, c.name, c.kind, c.host, c.created_at, c.replaced_at,
                      (SELECT count(*) FROM repositories p WHERE p.credential_id = c.credential_id) AS "repositories!"
               FROM credentials c WHERE c.workspace_id = $1 AND c.credential_id = $2"#,
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(CredentialRow::from))
    }
}
