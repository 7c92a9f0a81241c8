//! Asking for a run: one works, one waits.

use caffeine_model::{DocumentId, RepositoryId, RunId, RunState, TemplateVersionId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::projection::{self, Change, Fact};
use super::run_start::{self, Announce};
use super::runs::{Created, NewDocument, NewRun, Versions};
use crate::StoreError;

/// Asks for a run inside a transaction. The repository's lock orders it against the end of the working run, which
/// looks for a queued one under the same lock.
///
/// A run that waits already and writes the same is the answer; one that writes something else makes room for the new
/// one. Either way the one that works goes on. `None` if there is no such repository, or it is being deleted.
pub(super) async fn create_run(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    repository: RepositoryId,
    new: NewRun<'_>,
) -> Result<Option<Created>, StoreError> {
    let Some(reference) = sqlx::query_scalar!(
        "SELECT ref FROM repositories WHERE workspace_id = $1 AND repository_id = $2 AND deleting_at IS NULL \
         FOR NO KEY UPDATE",
        workspace.as_uuid(),
        repository.as_uuid()
    )
    .fetch_optional(&mut *connection)
    .await?
    else {
        return Ok(None);
    };
    let waiting = sqlx::query!(
        "SELECT run_id, state FROM runs \
         WHERE workspace_id = $1 AND repository_id = $2 AND ref = $3 AND ended_at IS NULL",
        workspace.as_uuid(),
        repository.as_uuid(),
        reference
    )
    .fetch_all(&mut *connection)
    .await?;
    let is_queued = |state: &str| state == RunState::Queued.as_str();
    let works = waiting.iter().any(|run| !is_queued(&run.state));
    let run = RunId::generate();
    if let Some(queued) = waiting.iter().find(|run| is_queued(&run.state)) {
        let queued = RunId::from_uuid(queued.run_id);
        if sorted(documents_of(connection, queued).await?) == sorted(new.documents.to_vec()) {
            let found =
                Created { repository, repository_is_new: false, run: queued, run_is_new: false, started: false };
            return Ok(Some(found));
        }
        supersede(connection, workspace, queued, run, &new).await?;
    }
    insert_run(connection, workspace, repository, &reference, run, &new).await?;
    if !works {
        run_start::start(connection, run, new.versions, new.announce).await?;
    }
    Ok(Some(Created { repository, repository_is_new: false, run, run_is_new: true, started: !works }))
}

/// Ends a queued run in favour of a newer one. If somebody has cancelled it meanwhile there is nothing to end.
async fn supersede(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    queued: RunId,
    by: RunId,
    new: &NewRun<'_>,
) -> Result<(), StoreError> {
    let fact = Fact {
        workspace,
        run: queued,
        transition: "superseded".to_owned(),
        occurred_at: new.now,
        payload: json!({ "run_id": by.to_string() }),
        change: Change::Superseded,
    };
    projection::apply(connection, &fact, new.versions, new.announce).await.map(drop)
}

/// A run that is followed by another.
pub(super) struct Ended {
    pub(super) workspace: WorkspaceId,
    pub(super) repository: RepositoryId,
    pub(super) run: RunId,
}

/// Asks for a run that does what an ended one did. Returns it if it was started now.
pub(super) async fn follow(
    connection: &mut PgConnection,
    ended: Ended,
    versions: &Versions,
    announce: Announce<'_>,
    now: DateTime<Utc>,
) -> Result<Option<RunId>, StoreError> {
    let documents = documents_of(connection, ended.run).await?;
    let new = NewRun { documents: &documents, versions, announce, now };
    let created = create_run(connection, ended.workspace, ended.repository, new).await?;
    Ok(created.filter(|created| created.started).map(|created| created.run))
}

/// What a run was asked to write, in the order of the request.
async fn documents_of(connection: &mut PgConnection, run: RunId) -> Result<Vec<NewDocument>, StoreError> {
    let rows = sqlx::query!(
        "SELECT title, template_version_id, style, output_language, model, query FROM run_documents \
         WHERE run_id = $1 ORDER BY document_id",
        run.as_uuid()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| NewDocument {
            title: row.title,
            template_version: row.template_version_id.map(TemplateVersionId::from_uuid),
            style: row.style,
            output_language: row.output_language,
            model: row.model,
            query: row.query,
        })
        .collect())
}

fn sorted(mut documents: Vec<NewDocument>) -> Vec<NewDocument> {
    documents.sort();
    documents
}

/// A run is born queued; starting it is the next step.
async fn insert_run(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    repository: RepositoryId,
    reference: &str,
    run: RunId,
    new: &NewRun<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO runs (run_id, workspace_id, repository_id, ref, state, analyser, embedding_model) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        run.as_uuid(),
        workspace.as_uuid(),
        repository.as_uuid(),
        reference,
        RunState::Queued.as_str(),
        new.versions.analyser,
        new.versions.embedding_model
    )
    .execute(&mut *connection)
    .await?;
    for document in new.documents {
        sqlx::query!(
            "INSERT INTO run_documents \
                 (document_id, workspace_id, run_id, title, template_version_id, style, output_language, model, query) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            DocumentId::generate().as_uuid(),
            workspace.as_uuid(),
            run.as_uuid(),
            document.title,
            document.template_version.map(TemplateVersionId::as_uuid),
            document.style,
            document.output_language,
            document.model,
            document.query
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
