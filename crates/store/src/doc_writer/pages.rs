//! Pages: their revisions, their citations, and the end of a document.

use caffeine_model::{DocumentId, DocumentState, Oid, RunId};
use sqlx::PgConnection;

use super::symbols::lock_positions;
use super::{Outcome, Work, count, settle};
use crate::{Store, StoreError};

/// Lines that a page points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CitationRow {
    /// The file.
    pub path: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// The file's content.
    pub oid: Oid,
}

/// How far a document is after one of its pages has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOutcome {
    /// How many pages it has.
    pub total: u32,
    /// How many are published.
    pub published: u32,
    /// How many have failed.
    pub failed: u32,
    /// How it ended; `None` while pages are missing.
    pub ended: Option<DocumentState>,
    /// What the reader should know; of a failed document, why.
    pub notice: Option<String>,
}

impl Store {
    /// Publishes a page and asks whether its document has ended. Does nothing to a page that is published already.
    /// `None` if there is no such page.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn publish_page(
        &self,
        work: Work,
        document: DocumentId,
        slug: &str,
        markdown: &str,
        citations: &[CitationRow],
    ) -> Result<Option<PageOutcome>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let Some(page) = lock_page(&mut transaction, work, document, slug).await? else { return Ok(None) };
        // A page that failed before and was asked for again is replaced.
        if page.state != "published" {
            let number = page.published_revision.unwrap_or(0) + 1;
            sqlx::query!(
                "INSERT INTO revisions (document_id, slug, number, workspace_id, markdown) VALUES ($1, $2, $3, $4, $5)",
                document.as_uuid(),
                slug,
                number,
                work.workspace.as_uuid(),
                markdown
            )
            .execute(&mut *transaction)
            .await?;
            insert_citations(&mut transaction, work, document, slug, number, citations).await?;
            sqlx::query!(
                "UPDATE pages SET state = 'published', failure_reason = NULL, published_revision = $3 \
                 WHERE document_id = $1 AND slug = $2",
                document.as_uuid(),
                slug,
                number
            )
            .execute(&mut *transaction)
            .await?;
        }
        settle(&mut transaction, work, Outcome::Done).await?;
        let outcome = fan_in(&mut transaction, document).await?;
        transaction.commit().await?;
        Ok(Some(outcome))
    }

    /// Ends a page without a revision and asks whether its document has ended. A published page stays published.
    /// `None` if there is no such page.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn fail_page(
        &self,
        work: Work,
        document: DocumentId,
        slug: &str,
        reason: &str,
        detail: &str,
    ) -> Result<Option<PageOutcome>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let Some(page) = lock_page(&mut transaction, work, document, slug).await? else {
            settle(&mut transaction, work, Outcome::Rejected(detail)).await?;
            transaction.commit().await?;
            return Ok(None);
        };
        if page.state == "requested" {
            sqlx::query!(
                "UPDATE pages SET state = 'failed', failure_reason = $3 WHERE document_id = $1 AND slug = $2",
                document.as_uuid(),
                slug,
                reason
            )
            .execute(&mut *transaction)
            .await?;
        }
        settle(&mut transaction, work, Outcome::Rejected(detail)).await?;
        let outcome = fan_in(&mut transaction, document).await?;
        transaction.commit().await?;
        Ok(Some(outcome))
    }

    /// The published text of a page.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn page_markdown(
        &self,
        workspace: caffeine_model::WorkspaceId,
        document: DocumentId,
        slug: &str,
    ) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT r.markdown FROM pages p JOIN revisions r ON r.document_id = p.document_id AND r.slug = p.slug \
             AND r.number = p.published_revision WHERE p.document_id = $1 AND p.slug = $2 AND p.workspace_id = $3",
            document.as_uuid(),
            slug,
            workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}

struct LockedPage {
    state: String,
    published_revision: Option<i32>,
}

/// Locks the document first, so that its pages end one after another, then reads the page.
async fn lock_page(
    connection: &mut PgConnection,
    work: Work,
    document: DocumentId,
    slug: &str,
) -> Result<Option<LockedPage>, StoreError> {
    let locked = sqlx::query_scalar!(
        "SELECT document_id FROM documents WHERE document_id = $1 AND workspace_id = $2 FOR UPDATE",
        document.as_uuid(),
        work.workspace.as_uuid()
    )
    .fetch_optional(&mut *connection)
    .await?;
    if locked.is_none() {
        return Ok(None);
    }
    Ok(sqlx::query_as!(
        LockedPage,
        "SELECT state, published_revision FROM pages WHERE document_id = $1 AND slug = $2",
        document.as_uuid(),
        slug
    )
    .fetch_optional(connection)
    .await?)
}

async fn insert_citations(
    connection: &mut PgConnection,
    work: Work,
    document: DocumentId,
    slug: &str,
    number: i32,
    citations: &[CitationRow],
) -> Result<(), StoreError> {
    let ordinals: Vec<i32> = (0_i32..).take(citations.len()).collect();
    let paths: Vec<String> = citations.iter().map(|citation| citation.path.clone()).collect();
    let oids: Vec<Vec<u8>> = citations.iter().map(|citation| citation.oid.as_bytes().to_vec()).collect();
    let line = |line: u32| i32::try_from(line).unwrap_or(i32::MAX);
    let starts: Vec<i32> = citations.iter().map(|citation| line(citation.start_line)).collect();
    let ends: Vec<i32> = citations.iter().map(|citation| line(citation.end_line)).collect();
    sqlx::query!(
        "INSERT INTO citations (document_id, slug, number, ordinal, workspace_id, path, oid, start_line, end_line) \
         SELECT $1, $2, $3, ordinal, $4, path, oid, start_line, end_line \
         FROM unnest($5::int[], $6::text[], $7::bytea[], $8::int[], $9::int[]) \
         AS citation (ordinal, path, oid, start_line, end_line) ORDER BY ordinal",
        document.as_uuid(),
        slug,
        number,
        work.workspace.as_uuid(),
        &ordinals,
        &paths,
        &oids,
        &starts,
        &ends
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what index pages are written from, if no other document of the run still writes some.
async fn remove_positions(connection: &mut PgConnection, document: DocumentId) -> Result<(), StoreError> {
    let run = sqlx::query_scalar!("SELECT run_id FROM documents WHERE document_id = $1", document.as_uuid())
        .fetch_one(&mut *connection)
        .await?;
    // Of two that end at once, the second sees that the first has ended.
    lock_positions(connection, RunId::from_uuid(run)).await?;
    sqlx::query!(
        "DELETE FROM symbol_positions WHERE run_id = $1 AND NOT EXISTS ( \
             SELECT FROM documents d WHERE d.run_id = $1 AND d.document_id <> $2 \
             AND d.state NOT IN ('completed', 'completed_with_errors', 'failed', 'cancelled') \
             AND EXISTS (SELECT FROM pages p WHERE p.document_id = d.document_id AND p.kind = 'symbols'))",
        run,
        document.as_uuid()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Asks, under the document's lock and in a later statement, whether every page has ended; if so, ends the document.
async fn fan_in(connection: &mut PgConnection, document: DocumentId) -> Result<PageOutcome, StoreError> {
    let pages = sqlx::query!(
        "SELECT count(*) AS total, count(*) FILTER (WHERE state = 'published') AS published, \
         count(*) FILTER (WHERE state = 'failed') AS failed, \
         (array_agg(failure_reason ORDER BY position) FILTER (WHERE state = 'failed'))[1] AS reason \
         FROM pages WHERE document_id = $1",
        document.as_uuid()
    )
    .fetch_one(&mut *connection)
    .await?;
    let (total, published, failed) = (count(pages.total), count(pages.published), count(pages.failed));
    let ended = match (published, failed) {
        (published, failed) if published + failed < total => None,
        (_, 0) => Some(DocumentState::Completed),
        (0, _) => Some(DocumentState::Failed),
        _ => Some(DocumentState::CompletedWithErrors),
    };
    let Some(state) = ended else { return Ok(PageOutcome { total, published, failed, ended, notice: None }) };
    remove_positions(connection, document).await?;
    let reason = pages.reason.filter(|_| state == DocumentState::Failed);
    let notice = sqlx::query_scalar!(
        "UPDATE documents SET state = $2, completed_at = coalesce(completed_at, now()), notice = coalesce($3, notice) \
         WHERE document_id = $1 AND state <> 'cancelled' RETURNING notice",
        document.as_uuid(),
        state.as_str(),
        reason
    )
    .fetch_optional(connection)
    .await?
    .flatten();
    Ok(PageOutcome { total, published, failed, ended, notice })
}
