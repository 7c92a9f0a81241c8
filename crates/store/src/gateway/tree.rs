//! Readings of a snapshot: its files, one file, what there is in all.

use caffeine_model::{RepoPath, RepositoryId, RunId, WorkspaceId};
use uuid::Uuid;

use super::DocumentRow;
use crate::{Store, StoreError};

/// A snapshot that can be read: a commit's files as one run analysed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// The run that listed it.
    pub run: RunId,
    /// The commit.
    pub commit: String,
    /// What the run was fixed to.
    pub analyser: String,
    /// What the run was fixed to.
    pub embedding_model: String,
    /// The plan stopped at a limit: the rest of the tree is not listed.
    pub truncated: bool,
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Its path.
    pub path: String,
    /// Its content.
    pub oid: String,
    /// Its size in bytes.
    pub size: i64,
    /// Its language, once analysed.
    pub language: Option<String>,
    /// `source`, `test`, …, once analysed.
    pub category: Option<String>,
    /// Its lines, once analysed.
    pub lines: Option<i32>,
    /// Why it has no text.
    pub skip_reason: Option<String>,
}

/// A file of a snapshot with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// Its content.
    pub oid: String,
    /// Its language, once analysed.
    pub language: Option<String>,
    /// Its lines, once analysed.
    pub lines: Option<i32>,
    /// UTF-8, zstd; `None` if the file was skipped.
    pub text_zstd: Option<Vec<u8>>,
    /// Why the file was skipped.
    pub skip_reason: Option<String>,
    /// Its version, for its symbols.
    pub version: Uuid,
}

/// A symbol of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRow {
    /// `function`, `struct`, ….
    pub kind: String,
    /// Its name.
    pub name: String,
    /// First line, from 1.
    pub start_line: i32,
    /// Last line.
    pub end_line: i32,
}

/// A page that cites a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CitingPageRow {
    /// Its document.
    pub document_id: Uuid,
    /// Its name in the document.
    pub slug: String,
    /// Its title.
    pub title: String,
}

/// A language of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageRow {
    /// The language; empty if it has none.
    pub language: String,
    /// Files in it.
    pub files: i64,
    /// Their lines.
    pub lines: i64,
}

impl Store {
    /// The latest snapshot of a repository that can be read and searched; of a commit, the latest one of it, even if its
    /// run goes on or failed. `None` if there is none, or it is not kept any more.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn snapshot_of(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
        commit: Option<&[u8; 20]>,
    ) -> Result<Option<SnapshotRow>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT r.run_id, encode(s.commit_oid, 'hex') AS "commit!", r.analyser, r.embedding_model, s.truncated
               FROM runs r JOIN snapshots s USING (run_id)
               JOIN repositories p ON p.repository_id = r.repository_id
               WHERE r.workspace_id = $1 AND r.repository_id = $2 AND p.deleting_at IS NULL
                 AND ($3::bytea IS NOT NULL OR r.state IN ('indexed', 'completed', 'completed_with_errors'))
                 AND ($3::bytea IS NULL OR s.commit_oid = $3)
               ORDER BY r.state IN ('indexed', 'completed', 'completed_with_errors') DESC, r.created_at DESC,
                        r.run_id DESC
               LIMIT 1"#,
            workspace.as_uuid(),
            repository.as_uuid(),
            commit.map(|oid| &oid[..]) as Option<&[u8]>
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| SnapshotRow {
            run: RunId::from_uuid(row.run_id),
            commit: row.commit,
            analyser: row.analyser,
            embedding_model: row.embedding_model,
            truncated: row.truncated,
        }))
    }

    /// The files of a snapshot by path, at most `limit`. The caller has found the snapshot in its workspace.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn snapshot_files(&self, snapshot: &SnapshotRow, limit: i64) -> Result<Vec<FileRow>, StoreError> {
        Ok(sqlx::query_as!(
            FileRow,
            r#"SELECT s.path, encode(s.oid, 'hex') AS "oid!", s.size, v.language AS "language?",
                      v.category AS "category?", v.lines AS "lines?",
                      coalesce(s.skip_reason, v.skip_reason) AS "skip_reason?"
               FROM snapshot_files s
               LEFT JOIN file_versions v ON v.file_version_id = s.file_version_id AND v.analyser = $2
               WHERE s.run_id = $1 ORDER BY s.path LIMIT $3"#,
            snapshot.run.as_uuid(),
            snapshot.analyser,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// One file of a snapshot. The caller has found the snapshot in its workspace.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn snapshot_blob(&self, snapshot: &SnapshotRow, path: &RepoPath) -> Result<Option<BlobRow>, StoreError> {
        Ok(sqlx::query_as!(
            BlobRow,
            r#"SELECT encode(s.oid, 'hex') AS "oid!", v.language AS "language?", v.lines AS "lines?",
                      v.text_zstd AS "text_zstd?", coalesce(s.skip_reason, v.skip_reason) AS "skip_reason?",
                      s.file_version_id AS version
               FROM snapshot_files s
               LEFT JOIN file_versions v ON v.file_version_id = s.file_version_id AND v.analyser = $2
               WHERE s.run_id = $1 AND s.path = $3"#,
            snapshot.run.as_uuid(),
            snapshot.analyser,
            path.as_str()
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The symbols of a file version, in the order of the text.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn version_symbols(
        &self,
        workspace: WorkspaceId,
        version: Uuid,
        analyser: &str,
        limit: i64,
    ) -> Result<Vec<SymbolRow>, StoreError> {
        Ok(sqlx::query_as!(
            SymbolRow,
            "SELECT kind, name, start_line, end_line FROM symbols \
             WHERE workspace_id = $1 AND file_version_id = $2 AND analyser = $3 ORDER BY ordinal LIMIT $4",
            workspace.as_uuid(),
            version,
            analyser,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The published pages about a commit that cite a file, those of the latest document first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn citing_pages(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
        commit: &str,
        path: &RepoPath,
        limit: i64,
    ) -> Result<Vec<CitingPageRow>, StoreError> {
        Ok(sqlx::query_as!(
            CitingPageRow,
            "SELECT p.document_id, p.slug, p.title \
             FROM documents d JOIN runs r USING (run_id) JOIN pages p USING (document_id) \
             WHERE d.workspace_id = $1 AND d.repository_id = $2 AND r.commit_oid = decode($3, 'hex') \
               AND EXISTS (SELECT FROM citations c WHERE c.document_id = p.document_id AND c.slug = p.slug \
                           AND c.number = p.published_revision AND c.path = $4) \
             ORDER BY d.requested_at DESC, d.document_id, p.position, p.slug LIMIT $5",
            workspace.as_uuid(),
            repository.as_uuid(),
            commit,
            path.as_str(),
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The languages of a snapshot's files that have text, the one with the most lines first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn snapshot_languages(&self, snapshot: &SnapshotRow) -> Result<Vec<LanguageRow>, StoreError> {
        Ok(sqlx::query_as!(
            LanguageRow,
            r#"SELECT v.language, count(*) AS "files!", coalesce(sum(v.lines), 0) AS "lines!"
               FROM snapshot_files s
               JOIN file_versions v ON v.file_version_id = s.file_version_id AND v.analyser = $2
               WHERE s.run_id = $1 AND s.skip_reason IS NULL AND v.skip_reason IS NULL
               GROUP BY v.language ORDER BY 3 DESC, v.language LIMIT 200"#,
            snapshot.run.as_uuid(),
            snapshot.analyser
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The language with the most source lines in the program of a snapshot; `None` if it has none.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn main_language(&self, snapshot: &SnapshotRow) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT v.language FROM snapshot_files s \
             JOIN file_versions v ON v.file_version_id = s.file_version_id AND v.analyser = $2 \
             WHERE s.run_id = $1 AND v.category = 'source' AND v.skip_reason IS NULL \
             GROUP BY v.language ORDER BY sum(v.source_lines) DESC, v.language LIMIT 1",
            snapshot.run.as_uuid(),
            snapshot.analyser
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The latest document of a repository that can be read.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn latest_document(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let row = sqlx::query_as!(
            super::documents::Raw,
            r#"SELECT d.document_id, d.repository_id, d.run_id, encode(r.commit_oid, 'hex') AS "commit?", d.title,
                      d.writer, d.state, d.notice, d.requested_at, d.completed_at
               FROM documents d JOIN runs r USING (run_id)
               WHERE d.workspace_id = $1 AND d.repository_id = $2
                 AND d.state IN ('completed', 'completed_with_errors')
               ORDER BY d.requested_at DESC, d.document_id LIMIT 1"#,
            workspace.as_uuid(),
            repository.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(DocumentRow::from))
    }
}
