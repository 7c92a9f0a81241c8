//! Documents and the two halves they wait for.

use caffeine_model::{DocumentId, DocumentState, Lane, RepositoryId, RunId, WorkspaceId};
use sqlx::PgConnection;

use super::{Outcome, Work, settle};
use crate::{Store, StoreError};

/// A document as it was asked for.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its identifier.
    pub document: DocumentId,
    /// The repository it describes.
    pub repository: RepositoryId,
    /// Its title.
    pub title: String,
    /// The prompt template; `None` for a structural document.
    pub template: Option<serde_json::Value>,
}

/// One of the two things that the documents of a run wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Every file is analysed and the snapshot is linked.
    Analysed,
    /// Every chunk is in the index.
    Indexed,
}

/// Whether the documents of a run can begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunReadiness {
    /// A half is missing.
    Waiting,
    /// Both halves are there.
    Ready,
    /// A half ended in failure, for this reason.
    Failed(String),
}

/// What is known after a fact about a run was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether documents can begin.
    pub state: RunReadiness,
    /// The documents that this fact concerns, by identifier. With [`RunReadiness::Failed`] they have failed by now.
    pub documents: Vec<DocumentId>,
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentRow {
    /// Its identifier.
    pub document: DocumentId,
    /// The repository it describes.
    pub repository: RepositoryId,
    /// The run it is written from.
    pub run: RunId,
    /// Its title.
    pub title: String,
    /// The prompt template as it was asked for.
    pub template: Option<serde_json::Value>,
    /// How far it is.
    pub state: DocumentState,
    /// What the reader should know about how it came to be.
    pub notice: Option<String>,
}

/// A page to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPage {
    /// Unique in the document: lower-case letters, digits and dashes.
    pub slug: String,
    /// Slug of the page above it.
    pub parent: Option<String>,
    /// Its title.
    pub title: String,
    /// Which writer it needs.
    pub kind: String,
    /// What it is about, in that writer's own notation.
    pub subject: String,
}

/// A page of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// Unique in the document.
    pub slug: String,
    /// Slug of the page above it.
    pub parent: Option<String>,
    /// Its title.
    pub title: String,
    /// Which writer it needs.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// `requested`, `published` or `failed`.
    pub state: String,
}

impl Store {
    /// Stores a request for a document and asks whether it can begin; if its run has failed, the document fails too.
    ///
    /// # Errors
    /// [`StoreError::ReferenceGone`] if the run or the repository is gone.
    pub async fn request_document(&self, work: Work, new: &NewDocument) -> Result<Readiness, StoreError> {
        let mut transaction = self.pool.begin().await?;
        lock_run(&mut transaction, work).await?;
        let writer = if new.template.is_some() { "template" } else { "structural" };
        sqlx::query!(
            "INSERT INTO documents (document_id, workspace_id, repository_id, run_id, title, writer, template, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'requested') ON CONFLICT (document_id) DO NOTHING",
            new.document.as_uuid(),
            work.workspace.as_uuid(),
            new.repository.as_uuid(),
            work.run.as_uuid(),
            new.title,
            writer,
            new.template
        )
        .execute(&mut *transaction)
        .await?;
        let state = readiness(&mut transaction, work).await?;
        if state != RunReadiness::Ready {
            settle(&mut transaction, work, Outcome::Done).await?;
        }
        transaction.commit().await?;
        Ok(Readiness { state, documents: vec![new.document] })
    }

    /// Stores that a half of a run is there, or has failed, and asks which documents can begin. After a failure all
    /// documents that had not begun have failed. `outcome` is what the inbox is told unless documents begin now.
    ///
    /// # Errors
    /// [`StoreError::ReferenceGone`] if the run is gone.
    pub async fn half_ready(
        &self,
        work: Work,
        half: Half,
        failure: Option<&str>,
        outcome: Outcome<'_>,
    ) -> Result<Readiness, StoreError> {
        let mut transaction = self.pool.begin().await?;
        lock_run(&mut transaction, work).await?;
        sqlx::query!(
            "UPDATE document_runs SET analysed = analysed OR $2, indexed = indexed OR $3, \
             failure_reason = coalesce(failure_reason, $4) WHERE run_id = $1",
            work.run.as_uuid(),
            half == Half::Analysed,
            half == Half::Indexed,
            failure
        )
        .execute(&mut *transaction)
        .await?;
        let state = readiness(&mut transaction, work).await?;
        let documents = match &state {
            RunReadiness::Waiting => Vec::new(),
            // Those that had begun end by their own pages.
            RunReadiness::Failed(_) => {
                sqlx::query_scalar!(
                    "SELECT document_id FROM documents d WHERE run_id = $1 AND workspace_id = $2 AND state = 'failed' \
                     AND NOT EXISTS (SELECT FROM pages p WHERE p.document_id = d.document_id) ORDER BY document_id",
                    work.run.as_uuid(),
                    work.workspace.as_uuid()
                )
                .fetch_all(&mut *transaction)
                .await?
            }
            RunReadiness::Ready => sqlx::query_scalar!(
                "SELECT document_id FROM documents WHERE run_id = $1 AND workspace_id = $2 AND state <> 'cancelled' \
                     ORDER BY document_id",
                work.run.as_uuid(),
                work.workspace.as_uuid()
            )
            .fetch_all(&mut *transaction)
            .await?,
        };
        if state != RunReadiness::Ready || documents.is_empty() {
            settle(&mut transaction, work, outcome).await?;
        }
        transaction.commit().await?;
        Ok(Readiness { state, documents: documents.into_iter().map(DocumentId::from_uuid).collect() })
    }

    /// A document of the workspace.
    ///
    /// # Errors
    /// If the database cannot be asked, or a stored word is unknown.
    pub async fn document(
        &self,
        workspace: WorkspaceId,
        document: DocumentId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let row = sqlx::query!(
            "SELECT repository_id, run_id, title, template, state, notice FROM documents \
             WHERE document_id = $1 AND workspace_id = $2",
            document.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(DocumentRow {
                document,
                repository: RepositoryId::from_uuid(row.repository_id),
                run: RunId::from_uuid(row.run_id),
                title: row.title,
                template: row.template,
                state: row.state.parse().map_err(|error| StoreError::corrupt("documents.state", error))?,
                notice: row.notice,
            })
        })
        .transpose()
    }

    /// Begins a document with these pages, if it has not begun, and records the work as done. The pages that count
    /// are those of the rows; read them with [`Store::document_pages`].
    ///
    /// # Errors
    /// [`StoreError::ReferenceGone`] if the document is gone.
    pub async fn begin_document(
        &self,
        work: Work,
        document: DocumentId,
        notice: Option<&str>,
        pages: &[NewPage],
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let state = sqlx::query_scalar!(
            "SELECT state FROM documents WHERE document_id = $1 AND workspace_id = $2 FOR UPDATE",
            document.as_uuid(),
            work.workspace.as_uuid()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if state.as_deref() == Some("requested") {
            insert_pages(&mut transaction, work, document, pages).await?;
            // With a notice, a document of a template is written without it.
            sqlx::query!(
                "UPDATE documents SET state = 'writing', notice = $2, \
                 writer = CASE WHEN $2::text IS NULL THEN writer ELSE 'structural' END WHERE document_id = $1",
                document.as_uuid(),
                notice
            )
            .execute(&mut *transaction)
            .await?;
        }
        settle(&mut transaction, work, Outcome::Done).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends a document that has not begun: it cannot be written for this reason.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn reject_document(
        &self,
        work: Work,
        new: &NewDocument,
        reason: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        lock_run(&mut transaction, work).await?;
        sqlx::query!(
            "INSERT INTO documents AS d (document_id, workspace_id, repository_id, run_id, title, writer, template, \
             state, notice, completed_at) VALUES ($1, $2, $3, $4, $5, 'structural', $6, 'failed', $7, now()) \
             ON CONFLICT (document_id) DO UPDATE SET state = 'failed', notice = $7, completed_at = now() \
             WHERE d.state = 'requested' AND d.workspace_id = $2",
            new.document.as_uuid(),
            work.workspace.as_uuid(),
            new.repository.as_uuid(),
            work.run.as_uuid(),
            new.title,
            new.template,
            reason
        )
        .execute(&mut *transaction)
        .await?;
        settle(&mut transaction, work, Outcome::Rejected(detail)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The pages of a document in the order of its table of contents.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn document_pages(
        &self,
        workspace: WorkspaceId,
        document: DocumentId,
    ) -> Result<Vec<PageRow>, StoreError> {
        Ok(sqlx::query_as!(
            PageRow,
            "SELECT slug, parent, title, kind, subject, state FROM pages \
             WHERE document_id = $1 AND workspace_id = $2 ORDER BY position, slug",
            document.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// One page of a document.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn page(
        &self,
        workspace: WorkspaceId,
        document: DocumentId,
        slug: &str,
    ) -> Result<Option<PageRow>, StoreError> {
        Ok(sqlx::query_as!(
            PageRow,
            "SELECT slug, parent, title, kind, subject, state FROM pages \
             WHERE document_id = $1 AND slug = $2 AND workspace_id = $3",
            document.as_uuid(),
            slug,
            workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The lane that the run's plan chose; interactive if there is no plan.
    ///
    /// # Errors
    /// If the database cannot be asked, or the stored word is unknown.
    pub async fn run_lane(&self, workspace: WorkspaceId, run: RunId) -> Result<Lane, StoreError> {
        let lane = sqlx::query_scalar!(
            "SELECT lane FROM clone_runs WHERE run_id = $1 AND workspace_id = $2",
            run.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        lane.map_or(Ok(Lane::Interactive), |lane| {
            lane.parse().map_err(|error| StoreError::corrupt("clone_runs.lane", error))
        })
    }
}

/// Makes sure that the run's row is there and locks it, so that facts about a run are stored one after another.
async fn lock_run(connection: &mut PgConnection, work: Work) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO document_runs (run_id, workspace_id) VALUES ($1, $2) ON CONFLICT (run_id) DO NOTHING",
        work.run.as_uuid(),
        work.workspace.as_uuid()
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("SELECT run_id FROM document_runs WHERE run_id = $1 FOR UPDATE", work.run.as_uuid())
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// Asks, under the lock and in a later statement, whether documents can begin; fails those that never will.
async fn readiness(connection: &mut PgConnection, work: Work) -> Result<RunReadiness, StoreError> {
    let run = sqlx::query!(
        "SELECT analysed, indexed, failure_reason FROM document_runs WHERE run_id = $1",
        work.run.as_uuid()
    )
    .fetch_one(&mut *connection)
    .await?;
    if let Some(reason) = run.failure_reason {
        sqlx::query!(
            "UPDATE documents SET state = 'failed', notice = $2, completed_at = now() \
             WHERE run_id = $1 AND state = 'requested'",
            work.run.as_uuid(),
            reason
        )
        .execute(connection)
        .await?;
        return Ok(RunReadiness::Failed(reason));
    }
    Ok(if run.analysed && run.indexed { RunReadiness::Ready } else { RunReadiness::Waiting })
}

async fn insert_pages(
    connection: &mut PgConnection,
    work: Work,
    document: DocumentId,
    pages: &[NewPage],
) -> Result<(), StoreError> {
    let column =
        |field: fn(&NewPage) -> &str| -> Vec<String> { pages.iter().map(|page| field(page).to_owned()).collect() };
    let positions: Vec<i32> = (0_i32..).take(pages.len()).collect();
    let parents: Vec<Option<String>> = pages.iter().map(|page| page.parent.clone()).collect();
    sqlx::query!(
        "INSERT INTO pages (document_id, slug, workspace_id, position, parent, title, kind, subject) \
         SELECT $1, slug, $2, position, parent, title, kind, subject \
         FROM unnest($3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[]) \
         AS page (slug, position, parent, title, kind, subject) ORDER BY slug ON CONFLICT DO NOTHING",
        document.as_uuid(),
        work.workspace.as_uuid(),
        &column(|page| &page.slug),
        &positions,
        &parents as &[Option<String>],
        &column(|page| &page.title),
        &column(|page| &page.kind),
        &column(|page| &page.subject)
    )
    .execute(connection)
    .await?;
    Ok(())
}
