//! Runs: asked for, listed, and their events.

use caffeine_model::{DocumentId, DocumentState, RepositoryId, RunId, RunState, TemplateVersionId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::idempotency::{self, Once};
use super::repositories::{self, NewRepository};
use super::run_create::{IfQueued, create_run};
use super::run_start;
use super::{Cursor, Page};
use crate::{Store, StoreError};

/// What a run is fixed to when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Version of the analyser.
    pub analyser: String,
    /// The embedding model.
    pub embedding_model: String,
}

/// A document that a run is asked to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewDocument {
    /// Its title.
    pub title: String,
    /// By which template; `None` is structural.
    pub template_version: Option<TemplateVersionId>,
    /// Value of `{style}`.
    pub style: String,
    /// BCP 47 tag of the prose.
    pub output_language: String,
    /// The model; empty for the installation's default.
    pub model: String,
    /// What to retrieve; empty for the template's name.
    pub query: String,
}

/// A run that is wanted.
pub struct NewRun<'a> {
    /// What it writes.
    pub documents: &'a [NewDocument],
    /// What it is fixed to if it starts now.
    pub versions: &'a Versions,
    /// Makes its messages if it starts now.
    pub announce: &'a (dyn Fn(&run_start::RunStart) -> Vec<super::OutboxBody> + Send + Sync),
    /// When it is wanted.
    pub now: DateTime<Utc>,
}

/// What asking for a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The repository.
    pub repository: RepositoryId,
    /// Whether the repository is new.
    pub repository_is_new: bool,
    /// The run: new, or the one that was queued already for the same documents.
    pub run: RunId,
    /// Whether the run is new.
    pub run_is_new: bool,
    /// Whether it was started, that is, whether the outbox has work.
    #[serde(skip)]
    pub started: bool,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its identifier.
    pub id: RunId,
    /// Its repository.
    pub repository: RepositoryId,
    /// Branch, tag or commit; empty for the remote's HEAD.
    pub reference: String,
    /// How far it is.
    pub state: RunState,
    /// The commit it is pinned to, once known.
    pub commit: Option<String>,
    /// A stable word for why it failed.
    pub failure_code: Option<String>,
    /// Why it failed, one sentence.
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Sequence of its latest event; 0 if there is none.
    pub last_sequence: u64,
}

/// How far a run is, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunMark {
    /// Its identifier.
    pub run: RunId,
    /// How far it is.
    pub state: RunState,
    /// Sequence of its latest event; 0 if there is none.
    pub sequence: u64,
}

/// A document of a run, as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDocumentRow {
    /// Its identifier.
    pub id: DocumentId,
    /// Its title.
    pub title: String,
    /// By which template; `None` is structural.
    pub template_version: Option<TemplateVersionId>,
    /// How far it is.
    pub state: DocumentState,
    /// How many pages it has, once known.
    pub pages: Option<u32>,
    /// How many of them could not be written.
    pub failed_pages: Option<u32>,
    /// Why it failed, one sentence.
    pub failure_reason: Option<String>,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its place in the run, from 1.
    pub sequence: u64,
    /// Names the fact, once per run.
    pub transition: String,
    /// When, by the clock of the stage.
    pub occurred_at: DateTime<Utc>,
    /// What the stage said.
    pub payload: Value,
}

struct Raw {
    run_id: Uuid,
    repository_id: Uuid,
    reference: String,
    state: String,
    commit: Option<String>,
    failure_code: Option<String>,
    failure_reason: Option<String>,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    last_sequence: i64,
}

impl TryFrom<Raw> for RunRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        Ok(Self {
            id: RunId::from_uuid(raw.run_id),
            repository: RepositoryId::from_uuid(raw.repository_id),
            reference: raw.reference,
            state: raw.state.parse().map_err(|error| StoreError::corrupt("runs.state", error))?,
            commit: raw.commit,
            failure_code: raw.failure_code,
            failure_reason: raw.failure_reason,
            created_at: raw.created_at,
            ended_at: raw.ended_at,
            last_sequence: raw.last_sequence.unsigned_abs(),
        })
    }
}

/// Whoever is answered with a run that waits already has started nothing.
pub(super) async fn record_start(
    connection: &mut PgConnection,
    by: &Actor,
    created: Option<&Created>,
) -> Result<(), StoreError> {
    let Some(created) = created.filter(|created| created.run_is_new) else { return Ok(()) };
    let entry = Entry {
        action: "run.started",
        object_kind: "run",
        object_id: created.run.to_string(),
        detail: json!({ "repository": created.repository.to_string() }),
    };
    audit::append(connection, by, entry).await
}

impl Store {
    /// Adds a repository, or finds the one with the same address and ref, and asks for a run of it.
    ///
    /// # Errors
    /// If the database refuses; [`StoreError::ReferenceGone`] if a template version does not exist.
    pub async fn create_repository(
        &self,
        by: &Actor,
        repository: &NewRepository,
        run: NewRun<'_>,
        once: Option<&Once>,
    ) -> Result<Created, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return Ok(made);
        }
        let (id, is_new) = repositories::ensure(&mut tx, by.workspace, repository).await?;
        let created = create_run(&mut tx, by.workspace, id, run, IfQueued::Supersede)
            .await?
            .map(|created| Created { repository_is_new: is_new, ..created })
            // Deleted between the two statements: the next call adds it anew.
            .ok_or(StoreError::Conflict(sqlx::Error::RowNotFound))?;
        idempotency::remember(&mut tx, by.workspace, once, &created).await?;
        if is_new {
            let entry = Entry {
                action: "repository.added",
                object_kind: "repository",
                object_id: id.to_string(),
                detail: json!({ "name": repository.name, "url": repository.url, "ref": repository.reference }),
            };
            audit::append(&mut tx, by, entry).await?;
        }
        record_start(&mut tx, by, Some(&created)).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// Asks for a run of a repository: starts it, queues it behind the working one, or returns the one that is queued
    /// already for the same documents; one that is queued for others is superseded. `None` if there is no such
    /// repository.
    ///
    /// # Errors
    /// If the database refuses; [`StoreError::ReferenceGone`] if a template version does not exist.
    pub async fn create_run(
        &self,
        by: &Actor,
        repository: RepositoryId,
        run: NewRun<'_>,
        once: Option<&Once>,
    ) -> Result<Option<Created>, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return Ok(Some(made));
        }
        let created = create_run(&mut tx, by.workspace, repository, run, IfQueued::Supersede).await?;
        if let Some(created) = &created {
            idempotency::remember(&mut tx, by.workspace, once, created).await?;
        }
        record_start(&mut tx, by, created.as_ref()).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// The runs of a repository, newest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn runs(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<RunRow>, StoreError> {
        let rows = sqlx::query_as!(
            Raw,
            r#"SELECT run_id, repository_id, ref AS reference, state, encode(commit_oid, 'hex') AS "commit?",
                      failure_code, failure_reason, created_at, ended_at, last_sequence
               FROM runs
               WHERE workspace_id = $1 AND repository_id = $2
                 AND ($3::timestamptz IS NULL OR created_at < $3 OR (created_at = $3 AND run_id > $4::uuid))
               ORDER BY created_at DESC, run_id
               LIMIT $5"#,
            workspace.as_uuid(),
            repository.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(RunRow::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(rows, limit, |row| Cursor { key: row.created_at, id: row.id.as_uuid() }))
    }

    /// One run.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run(&self, workspace: WorkspaceId, run: RunId) -> Result<Option<RunRow>, StoreError> {
        let row = sqlx::query_as!(
            Raw,
            r#"SELECT run_id, repository_id, ref AS reference, state, encode(commit_oid, 'hex') AS "commit?",
                      failure_code, failure_reason, created_at, ended_at, last_sequence
               FROM runs WHERE workspace_id = $1 AND run_id = $2"#,
            workspace.as_uuid(),
            run.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(RunRow::try_from).transpose()
    }

    /// How far these runs are, of any workspace; those that are gone are left out.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_marks(&self, runs: &[RunId]) -> Result<Vec<RunMark>, StoreError> {
        let runs: Vec<_> = runs.iter().map(|run| run.as_uuid()).collect();
        sqlx::query!("SELECT run_id, state, last_sequence FROM runs WHERE run_id = ANY($1)", &runs)
            .fetch_all(&self.pool)
            .await?
            .into_iter()
            .map(|row| {
                Ok(RunMark {
                    run: RunId::from_uuid(row.run_id),
                    state: row.state.parse().map_err(|error| StoreError::corrupt("runs.state", error))?,
                    sequence: row.last_sequence.unsigned_abs(),
                })
            })
            .collect()
    }

    /// The documents that a run writes, in the order in which they were asked for.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_documents(&self, workspace: WorkspaceId, run: RunId) -> Result<Vec<RunDocumentRow>, StoreError> {
        sqlx::query!(
            "SELECT document_id, title, template_version_id, state, pages, failed_pages, failure_reason \
             FROM run_documents WHERE workspace_id = $1 AND run_id = $2 ORDER BY document_id",
            workspace.as_uuid(),
            run.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| {
            Ok(RunDocumentRow {
                id: DocumentId::from_uuid(row.document_id),
                title: row.title,
                template_version: row.template_version_id.map(TemplateVersionId::from_uuid),
                state: row.state.parse().map_err(|error| StoreError::corrupt("run_documents.state", error))?,
                pages: row.pages.map(i32::unsigned_abs),
                failed_pages: row.failed_pages.map(i32::unsigned_abs),
                failure_reason: row.failure_reason,
            })
        })
        .collect()
    }

    /// Up to `limit` events of a run after a sequence, in order.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_events(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        after: u64,
        limit: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT sequence, transition, occurred_at, payload FROM run_events \
             WHERE workspace_id = $1 AND run_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4",
            workspace.as_uuid(),
            run.as_uuid(),
            i64::try_from(after).unwrap_or(i64::MAX),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| EventRow {
                sequence: row.sequence.unsigned_abs(),
                transition: row.transition,
                occurred_at: row.occurred_at,
                payload: row.payload,
            })
            .collect())
    }
}
