//! Runs of a whole workspace, asking for one again, and the pieces of work that one consists of.

use caffeine_model::{RepositoryId, RunId, RunState, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::idempotency::{self, Once};
use super::run_create::{IfQueued, create_run, documents_of};
use super::runs::{Created, NewRun, RunRow, Versions};
use super::{Cursor, OutboxBody, Page, RunStart};
use crate::{Store, StoreError};

/// A run with the name of its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRunRow {
    /// The run.
    pub run: RunRow,
    /// Its repository, as people know it.
    pub repository_name: String,
}

/// What asking for a run again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// There is no such run, or its repository is gone.
    Gone,
    /// It has not ended yet.
    Works,
    /// A run of the same documents.
    Asked(Created),
}

/// A run that is to be asked for again.
pub struct Again<'a> {
    /// The one that has ended.
    pub run: RunId,
    /// What the new one is fixed to if it starts now.
    pub versions: &'a Versions,
    /// Makes its messages if it starts now.
    pub announce: &'a (dyn Fn(&RunStart) -> Vec<OutboxBody> + Send + Sync),
    /// When it is wanted.
    pub now: DateTime<Utc>,
}

/// A batch of files on its way through analysis and embedding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Its number.
    pub batch: i32,
    /// Files in it.
    pub files: i64,
    /// Whether the analysis has ended.
    pub analysed: bool,
    /// Why it was given up there.
    pub analyse_failure: Option<String>,
    /// Whether the embedding has ended.
    pub indexed: bool,
    /// Why it was given up there.
    pub index_failure: Option<String>,
}

/// The link step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// When it was done.
    pub linked_at: Option<DateTime<Utc>>,
    /// Why the analysis of the run was given up.
    pub failure_reason: Option<String>,
}

/// A page of one of a run's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageWorkRow {
    /// Its document.
    pub document_id: Uuid,
    /// Its name in the document.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// `requested`, `published` or `failed`.
    pub state: String,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

/// What an inbox remembers of a piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// The work.
    pub work_id: Uuid,
    /// How often it was begun.
    pub attempts: i32,
    /// When something last became of it.
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// The runs of a workspace, newest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn workspace_runs(
        &self,
        workspace: WorkspaceId,
        state: Option<RunState>,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<NamedRunRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT r.run_id, r.repository_id, r.ref AS reference, r.state, encode(r.commit_oid, 'hex') AS "commit?",
                      r.failure_code, r.failure_reason, r.created_at, r.ended_at, r.last_sequence, p.name
               FROM runs r JOIN repositories p USING (repository_id)
               WHERE r.workspace_id = $1 AND p.deleting_at IS NULL
                 AND ($2::text IS NULL OR r.state = $2)
                 AND ($3::timestamptz IS NULL OR r.created_at < $3 OR (r.created_at = $3 AND r.run_id > $4::uuid))
               ORDER BY r.created_at DESC, r.run_id
               LIMIT $5"#,
            workspace.as_uuid(),
            state.map(RunState::as_str) as Option<&str>,
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows
            .into_iter()
            .map(|row| {
                let run = RunRow {
                    id: RunId::from_uuid(row.run_id),
                    repository: RepositoryId::from_uuid(row.repository_id),
                    reference: row.reference,
                    state: row.state.parse().map_err(|error| StoreError::corrupt("runs.state", error))?,
                    commit: row.commit,
                    failure_code: row.failure_code,
                    failure_reason: row.failure_reason,
                    created_at: row.created_at,
                    ended_at: row.ended_at,
                    last_sequence: row.last_sequence.unsigned_abs(),
                };
                Ok(NamedRunRow { run, repository_name: row.name })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let cursor = |row: &NamedRunRow| Cursor { key: row.run.created_at, id: row.run.id.as_uuid() };
        Ok(Page::cut(rows, limit, cursor))
    }

    /// Asks for a run that writes what an ended one was to write, with the same versions of its templates.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn retry_run(&self, by: &Actor, again: Again<'_>, once: Option<&Once>) -> Result<Retried, StoreError> {
        let (workspace, run) = (by.workspace, again.run);
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return Ok(Retried::Asked(made));
        }
        let row = sqlx::query!(
            "SELECT repository_id, ended_at FROM runs WHERE workspace_id = $1 AND run_id = $2",
            workspace.as_uuid(),
            run.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(Retried::Gone) };
        if row.ended_at.is_none() {
            return Ok(Retried::Works);
        }
        let documents = documents_of(&mut tx, run).await?;
        let Again { versions, announce, now, .. } = again;
        let new = NewRun { documents: &documents, versions, announce, now };
        let repository = RepositoryId::from_uuid(row.repository_id);
        let Some(created) = create_run(&mut tx, workspace, repository, new, IfQueued::Supersede).await? else {
            return Ok(Retried::Gone);
        };
        idempotency::remember(&mut tx, workspace, once, &created).await?;
        let entry = Entry {
            action: "run.retried",
            object_kind: "run",
            object_id: run.to_string(),
            detail: json!({ "repository": repository.to_string(), "by": created.run.to_string() }),
        };
        audit::append(&mut tx, by, entry).await?;
        tx.commit().await?;
        Ok(Retried::Asked(created))
    }

    /// The batches of a run, in order, at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_batches(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        limit: i64,
    ) -> Result<Vec<BatchRow>, StoreError> {
        Ok(sqlx::query_as!(
            BatchRow,
            r#"SELECT f.batch AS "batch!", count(*) AS "files!",
                      bool_or(a.batch IS NOT NULL) AS "analysed!", min(a.failure_reason) AS analyse_failure,
                      bool_or(i.batch IS NOT NULL) AS "indexed!", min(i.failure_reason) AS index_failure
               FROM snapshot_files f
               LEFT JOIN file_batches a ON a.run_id = f.run_id AND a.batch = f.batch
               LEFT JOIN chunk_batches i ON i.run_id = f.run_id AND i.batch = f.batch
               WHERE f.workspace_id = $1 AND f.run_id = $2 AND f.batch IS NOT NULL
               GROUP BY f.batch ORDER BY f.batch LIMIT $3"#,
            workspace.as_uuid(),
            run.as_uuid(),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The link step of a run, if its analysis has begun.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_link(&self, workspace: WorkspaceId, run: RunId) -> Result<Option<LinkRow>, StoreError> {
        Ok(sqlx::query_as!(
            LinkRow,
            "SELECT linked_at, failure_reason FROM chunk_runs WHERE workspace_id = $1 AND run_id = $2",
            workspace.as_uuid(),
            run.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The pages of a run's documents, in reading order, at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_pages(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        limit: i64,
    ) -> Result<Vec<PageWorkRow>, StoreError> {
        Ok(sqlx::query_as!(
            PageWorkRow,
            "SELECT p.document_id, p.slug, p.title, p.state, p.failure_reason \
             FROM documents d JOIN pages p USING (document_id) \
             WHERE d.workspace_id = $1 AND d.run_id = $2 \
             ORDER BY d.document_id, p.position, p.slug LIMIT $3",
            workspace.as_uuid(),
            run.as_uuid(),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// What the inboxes of the stages remember of a run's work.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_attempts(&self, workspace: WorkspaceId, run: RunId) -> Result<Vec<AttemptRow>, StoreError> {
        Ok(sqlx::query_as!(
            AttemptRow,
            r#"SELECT work_id AS "work_id!", attempts AS "attempts!", updated_at AS "updated_at!" FROM chunk_inbox
               WHERE run_id = $2 AND workspace_id = $1
               UNION ALL
               SELECT work_id, attempts, updated_at FROM embed_inbox WHERE run_id = $2 AND workspace_id = $1
               UNION ALL
               SELECT work_id, attempts, updated_at FROM document_inbox WHERE run_id = $2 AND workspace_id = $1"#,
            workspace.as_uuid(),
            run.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
