//! Repositories.

use caffeine_model::{CredentialId, RepositoryId, RunId, RunState, WorkspaceId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Cursor, Page};
use crate::{Store, StoreError};

/// A repository to be known.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Shown to people.
    pub name: String,
    /// Without credentials.
    pub url: String,
    /// Branch, tag or commit; empty for the remote's HEAD.
    pub reference: String,
    /// What the host asks for. Of a repository that is known already it takes the place of the former.
    pub credential: Option<CredentialId>,
}

/// A repository and how far its latest run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRow {
    /// Its identifier.
    pub id: RepositoryId,
    /// Shown to people.
    pub name: String,
    /// Without credentials.
    pub url: String,
    /// Branch, tag or commit; empty for the remote's HEAD.
    pub reference: String,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// Its latest run.
    pub latest_run: Option<RunId>,
    /// How far that is.
    pub latest_state: Option<RunState>,
    /// The latest commit that a run has pinned.
    pub latest_commit: Option<String>,
    /// Why the latest run failed.
    pub latest_failure: Option<String>,
}

/// The columns of [`RepositoryRow`] as the database gives them.
struct Raw {
    repository_id: uuid::Uuid,
    name: String,
    url: String,
    reference: String,
    created_at: DateTime<Utc>,
    run_id: Option<uuid::Uuid>,
    state: Option<String>,
    commit: Option<String>,
    failure_reason: Option<String>,
}

impl TryFrom<Raw> for RepositoryRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let state = raw.state.map(|word| word.parse()).transpose();
        Ok(Self {
            id: RepositoryId::from_uuid(raw.repository_id),
            name: raw.name,
            url: raw.url,
            reference: raw.reference,
            created_at: raw.created_at,
            latest_run: raw.run_id.map(RunId::from_uuid),
            latest_state: state.map_err(|error| StoreError::corrupt("runs.state", error))?,
            latest_commit: raw.commit,
            latest_failure: raw.failure_reason,
        })
    }
}

impl Store {
    /// The repositories of a workspace, newest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn repositories(
        &self,
        workspace: WorkspaceId,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<RepositoryRow>, StoreError> {
        let rows = sqlx::query_as!(
            Raw,
            r#"SELECT p.repository_id, p.name, p.url, p.ref AS reference, p.created_at,
                      r.run_id AS "run_id?", r.state AS "state?", encode(r.commit_oid, 'hex') AS "commit?",
                      r.failure_reason AS "failure_reason?"
               FROM repositories p
               LEFT JOIN LATERAL (
                   SELECT run_id, state, commit_oid, failure_reason FROM runs
                   WHERE workspace_id = p.workspace_id AND repository_id = p.repository_id
                   ORDER BY created_at DESC, run_id DESC LIMIT 1
               ) r ON true
               WHERE p.workspace_id = $1 AND p.deleting_at IS NULL
                 AND ($2::timestamptz IS NULL OR p.created_at < $2
                      OR (p.created_at = $2 AND p.repository_id > $3::uuid))
               ORDER BY p.created_at DESC, p.repository_id
               LIMIT $4"#,
            workspace.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(RepositoryRow::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(rows, limit, |row| Cursor { key: row.created_at, id: row.id.as_uuid() }))
    }

    /// One repository.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn repository(
        &self,
        workspace: WorkspaceId,
        id: RepositoryId,
    ) -> Result<Option<RepositoryRow>, StoreError> {
        let row = sqlx::query_as!(
            Raw,
            r#"SELECT p.repository_id, p.name, p.url, p.ref AS reference, p.created_at,
                      r.run_id AS "run_id?", r.state AS "state?", encode(r.commit_oid, 'hex') AS "commit?",
                      r.failure_reason AS "failure_reason?"
               FROM repositories p
               LEFT JOIN LATERAL (
                   SELECT run_id, state, commit_oid, failure_reason FROM runs
                   WHERE workspace_id = p.workspace_id AND repository_id = p.repository_id
                   ORDER BY created_at DESC, run_id DESC LIMIT 1
               ) r ON true
               WHERE p.workspace_id = $1 AND p.repository_id = $2 AND p.deleting_at IS NULL"#,
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(RepositoryRow::try_from).transpose()
    }
}

/// Inserts a repository or finds the one with the same address and ref; says whether it is new.
pub(super) async fn ensure(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    new: &NewRepository,
) -> Result<(RepositoryId, bool), StoreError> {
    let id = RepositoryId::generate();
    let credential = new.credential.map(CredentialId::as_uuid);
    let inserted = sqlx::query!(
        "INSERT INTO repositories (repository_id, workspace_id, name, url, ref, credential_id) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (workspace_id, url, ref) WHERE deleting_at IS NULL DO NOTHING",
        id.as_uuid(),
        workspace.as_uuid(),
        new.name,
        new.url,
        new.reference,
        credential
    )
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok((id, true));
    }
    let existing = sqlx::query_scalar!(
        "UPDATE repositories SET credential_id = coalesce($4, credential_id) \
         WHERE workspace_id = $1 AND url = $2 AND ref = $3 AND deleting_at IS NULL RETURNING repository_id",
        workspace.as_uuid(),
        new.url,
        new.reference,
        credential
    )
    .fetch_optional(connection)
    .await?
    // Deleted between the two statements: the next call adds it anew.
    .ok_or(StoreError::Conflict(sqlx::Error::RowNotFound))?;
    Ok((RepositoryId::from_uuid(existing), false))
}
