//! Asking for a run: one works, one waits.

use caffeine_model::{DocumentId, RepositoryId, RunId, RunState, TemplateVersionId, WorkspaceId};
use serde_json::json;
use sqlx::PgConnection;

use super::projection::{self, Change, Fact};
use super::run_start::{self, Announce};
use super::runs::{Created, NewDocument, NewRun, Versions};
use crate::StoreError;

/// What becomes of a run that waits already and writes other documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfQueued {
    /// It makes room for the new one.
    Supersede,
    /// It is the answer all the same.
    Join,
}

/// Asks for a run inside a transaction. The repository's lock orders it against the end of the working run, which
/// looks for a queued one under the same lock.
///
/// A run that waits already and writes the same is the answer; about one that writes something else the caller
/// decides. Either way the one that works goes on. `None` if there is no such repository, or it is being deleted.
pub(super) async fn create_run(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    repository: RepositoryId,
    new: NewRun<'_>,
    if_queued: IfQueued,
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
        let joins = if_queued == IfQueued::Join
            || sorted(documents_of(connection, queued).await?) == sorted(new.documents.to_vec());
        if joins {
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

/// Asks for a run that does what the ended one of a fact did; a run that waits already will do. Returns it if it was
/// started now.
pub(super) async fn follow(
    connection: &mut PgConnection,
    fact: &Fact,
    versions: &Versions,
    announce: Announce<'_>,
) -> Result<Option<RunId>, StoreError> {
    let repository = sqlx::query_scalar!("SELECT repository_id FROM runs WHERE run_id = $1", fact.run.as_uuid())
        .fetch_one(&mut *connection)
        .await?;
    let documents = documents_of(connection, fact.run).await?;
    let new = NewRun { documents: &documents, versions, announce, now: fact.occurred_at };
    let repository = RepositoryId::from_uuid(repository);
    let created = create_run(connection, fact.workspace, repository, new, IfQueued::Join).await?;
    Ok(created.filter(|created| created.started).map(|created| created.run))
}

/// What a run was asked to write, in the order of the request.
pub(super) async fn documents_of(connection: &mut PgConnection, run: RunId) -> Result<Vec<NewDocument>, StoreError> {
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
