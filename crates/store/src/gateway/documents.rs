//! Readings of what the doc-writer and the chunker wrote: documents, pages and the sources that pages cite.
//!
//! The doc-writer hears of a cancelled run only that its work is to be dropped, so whether a document is cancelled is
//! asked of the run.

use caffeine_model::{DocumentId, RepoPath, RepositoryId, RunId, WorkspaceId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Cursor, Page};
use crate::{Store, StoreError};

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its identifier.
    pub id: DocumentId,
    /// Its repository.
    pub repository: RepositoryId,
    /// The run that wrote it.
    pub run: RunId,
    /// The commit it is about, once known.
    pub commit: Option<String>,
    /// Its title.
    pub title: String,
    /// `structural` or `template`.
    pub writer: String,
    /// How far it is.
    pub state: String,
    /// Why it was written otherwise than asked for, or why it failed.
    pub notice: Option<String>,
    /// When the doc-writer took it up.
    pub requested_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
}

/// A page in a document's table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageEntryRow {
    /// Its name, unique in the document.
    pub slug: String,
    /// The page above it.
    pub parent: Option<String>,
    /// Its title.
    pub title: String,
    /// `overview`, `module`, ….
    pub kind: String,
    /// `requested`, `published` or `failed`.
    pub state: String,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

/// A published page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// Its name, unique in the document.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// `overview`, `module`, ….
    pub kind: String,
    /// `requested`, `published` or `failed`.
    pub state: String,
    /// Number of the published revision.
    pub revision: Option<u32>,
    /// Its text.
    pub markdown: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

/// The text of a file as the analysis saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// UTF-8, zstd; `None` if the file was skipped.
    pub text_zstd: Option<Vec<u8>>,
    /// Why the file was skipped.
    pub skip_reason: Option<String>,
}

pub(super) struct Raw {
    pub(super) document_id: Uuid,
    pub(super) repository_id: Uuid,
    pub(super) run_id: Uuid,
    pub(super) commit: Option<String>,
    pub(super) title: String,
    pub(super) writer: String,
    pub(super) state: String,
    pub(super) notice: Option<String>,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}

impl From<Raw> for DocumentRow {
    fn from(raw: Raw) -> Self {
        Self {
            id: DocumentId::from_uuid(raw.document_id),
            repository: RepositoryId::from_uuid(raw.repository_id),
            run: RunId::from_uuid(raw.run_id),
            commit: raw.commit,
            title: raw.title,
            writer: raw.writer,
            state: raw.state,
            notice: raw.notice,
            requested_at: raw.requested_at,
            completed_at: raw.completed_at,
        }
    }
}

impl Store {
    /// The documents of a repository, those of the latest run first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn documents(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<DocumentRow>, StoreError> {
        let rows = sqlx::query_as!(
            Raw,
            r#"SELECT d.document_id, d.repository_id, d.run_id, encode(r.commit_oid, 'hex') AS "commit?", d.title,
                      d.writer,
                      CASE WHEN r.state = 'cancelled' AND d.state IN ('requested', 'writing') THEN 'cancelled'
                           ELSE d.state END AS "state!",
                      d.notice, d.requested_at, d.completed_at
               FROM documents d JOIN runs r USING (run_id)
               WHERE d.workspace_id = $1 AND d.repository_id = $2
                 AND ($3::timestamptz IS NULL OR d.requested_at < $3
                      OR (d.requested_at = $3 AND d.document_id > $4::uuid))
               ORDER BY d.requested_at DESC, d.document_id
               LIMIT $5"#,
            workspace.as_uuid(),
            repository.as_uuid(),
            after.map(|cursor| cursor.key),
            after.map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(DocumentRow::from).collect();
        Ok(Page::cut(rows, limit, |row: &DocumentRow| Cursor { key: row.requested_at, id: row.id.as_uuid() }))
    }

    /// One document.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn find_document(
        &self,
        workspace: WorkspaceId,
        id: DocumentId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let row = sqlx::query_as!(
            Raw,
            r#"SELECT d.document_id, d.repository_id, d.run_id, encode(r.commit_oid, 'hex') AS "commit?", d.title,
                      d.writer,
                      CASE WHEN r.state = 'cancelled' AND d.state IN ('requested', 'writing') THEN 'cancelled'
                           ELSE d.state END AS "state!",
                      d.notice, d.requested_at, d.completed_at
               FROM documents d JOIN runs r USING (run_id)
               WHERE d.workspace_id = $1 AND d.document_id = $2"#,
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(DocumentRow::from))
    }

    /// A document's table of contents, in reading order; at most `limit` pages.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn list_document_pages(
        &self,
        workspace: WorkspaceId,
        id: DocumentId,
        limit: i64,
    ) -> Result<Vec<PageEntryRow>, StoreError> {
        Ok(sqlx::query_as!(
            PageEntryRow,
            "SELECT slug, parent, title, kind, state, failure_reason FROM pages \
             WHERE workspace_id = $1 AND document_id = $2 ORDER BY position, slug LIMIT $3",
            workspace.as_uuid(),
            id.as_uuid(),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// One page with the text of its published revision.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn document_page(
        &self,
        workspace: WorkspaceId,
        id: DocumentId,
        slug: &str,
    ) -> Result<Option<PageRow>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT p.slug, p.title, p.kind, p.state, p.failure_reason, r.number AS "number?",
                      r.markdown AS "markdown?"
               FROM pages p
               LEFT JOIN revisions r
                   ON r.document_id = p.document_id AND r.slug = p.slug AND r.number = p.published_revision
               WHERE p.workspace_id = $1 AND p.document_id = $2 AND p.slug = $3"#,
            workspace.as_uuid(),
            id.as_uuid(),
            slug
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| PageRow {
            slug: row.slug,
            title: row.title,
            kind: row.kind,
            state: row.state,
            revision: row.number.map(i32::unsigned_abs),
            markdown: row.markdown,
            failure_reason: row.failure_reason,
        }))
    }

    /// The texts of a document's published pages that have diagrams, in reading order; at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn pages_with_diagrams(
        &self,
        workspace: WorkspaceId,
        id: DocumentId,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT r.markdown FROM pages p \
             JOIN revisions r ON r.document_id = p.document_id AND r.slug = p.slug AND r.number = p.published_revision \
             WHERE p.workspace_id = $1 AND p.document_id = $2 AND r.markdown LIKE '%mermaid%' \
             ORDER BY p.position, p.slug LIMIT $3",
            workspace.as_uuid(),
            id.as_uuid(),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A file of the snapshot that a document is about.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn document_source(
        &self,
        workspace: WorkspaceId,
        id: DocumentId,
        path: &RepoPath,
    ) -> Result<Option<SourceRow>, StoreError> {
        Ok(sqlx::query_as!(
            SourceRow,
            r#"SELECT v.text_zstd AS "text_zstd?", coalesce(s.skip_reason, v.skip_reason) AS "skip_reason?"
               FROM documents d
               JOIN runs r USING (run_id)
               JOIN snapshot_files s USING (run_id)
               LEFT JOIN file_versions v ON v.file_version_id = s.file_version_id AND v.analyser = r.analyser
               WHERE d.workspace_id = $1 AND d.document_id = $2 AND s.path = $3"#,
            workspace.as_uuid(),
            id.as_uuid(),
            path.as_str()
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}
