//! What a run knows about its snapshot as a whole: one row per file, module and relation between modules. Symbols are
//! read page by page.

use caffeine_model::{Oid, RunId, WorkspaceId};

use super::count;
use crate::{Store, StoreError};

/// The commit, and how the run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// The repository's name.
    pub repository: String,
    /// Where it was cloned from.
    pub url: String,
    /// What was asked for: a branch, a tag or a commit.
    pub reference: String,
    /// The commit.
    pub commit: Oid,
    /// The commit's day and time.
    pub committed_at: chrono::DateTime<chrono::Utc>,
    /// The listing stopped at a limit.
    pub truncated: bool,
    /// The analyser's version.
    pub analyser: String,
    /// The embedding model.
    pub embedding_model: String,
    /// Batches that could not be analysed: number and reason.
    pub failed_analysis: Vec<(u32, String)>,
    /// Batches that could not be embedded: number and reason.
    pub failed_index: Vec<(u32, String)>,
}

/// A file of the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRow {
    /// Where it is.
    pub path: String,
    /// Its content.
    pub oid: Oid,
    /// Bytes.
    pub size: u64,
    /// Why the cloner did not send it.
    pub clone_skip: Option<String>,
    /// The rest is absent if it was never analysed.
    pub language: Option<String>,
    /// What it is for.
    pub category: Option<String>,
    /// Lines.
    pub lines: u32,
    /// Lines that are neither blank nor only a comment.
    pub source_lines: u32,
    /// How well the grammar understood it.
    pub parse_quality: Option<String>,
    /// Why it has no symbols.
    pub skip: Option<String>,
    /// What it declares as a package manifest.
    pub manifest: Option<serde_json::Value>,
    /// Whether its text is stored, so that lines of it can be shown.
    pub has_text: bool,
    /// Slug of its module.
    pub module: Option<String>,
    /// Share of the importance in the snapshot.
    pub rank: f64,
}

/// A directory that holds files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleRow {
    /// Unique in the run.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Slug of the module above.
    pub parent: Option<String>,
    /// The directory; empty for the top.
    pub path: String,
}

/// How much one module uses another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleEdgeRow {
    /// The using module.
    pub src: String,
    /// The used module.
    pub dst: String,
    /// Mentions that could be resolved.
    pub weight: u32,
}

/// How much a module uses a package from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePackageRow {
    /// The module.
    pub module: String,
    /// The package.
    pub package: String,
    /// Imports of it.
    pub imports: u32,
    /// Files that import it.
    pub files: u32,
}

/// How many symbols of a module begin with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolCountRow {
    /// The module.
    pub module: String,
    /// `a` to `z`, or `_` for everything else.
    pub letter: String,
    /// All that are names.
    pub symbols: u32,
    /// Headings and `impl` blocks.
    pub unnamed: u32,
    /// Those that other files can reach, in the program itself.
    pub exported: u32,
}

impl Store {
    /// The commit of a run and how its stages went. `None` if it has no snapshot.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_row(&self, workspace: WorkspaceId, run: RunId) -> Result<Option<RunRow>, StoreError> {
        let Some(row) = sqlx::query!(
            "SELECT r.name, r.url, s.ref, s.commit_oid, s.committed_at, s.truncated, u.analyser, u.embedding_model \
             FROM runs u JOIN repositories r ON r.repository_id = u.repository_id \
             JOIN snapshots s ON s.run_id = u.run_id WHERE u.run_id = $1 AND u.workspace_id = $2",
            run.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?
        else {
            return Ok(None);
        };
        let analysis = sqlx::query!(
            "SELECT batch, failure_reason AS \"reason!\" FROM file_batches \
             WHERE run_id = $1 AND failure_reason IS NOT NULL ORDER BY batch",
            run.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        let index = sqlx::query!(
            "SELECT batch, failure_reason AS \"reason!\" FROM chunk_batches \
             WHERE run_id = $1 AND failure_reason IS NOT NULL ORDER BY batch",
            run.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(RunRow {
            repository: row.name,
            url: row.url,
            reference: row.r#ref,
            commit: oid(&row.commit_oid)?,
            committed_at: row.committed_at,
            truncated: row.truncated,
            analyser: row.analyser,
            embedding_model: row.embedding_model,
            failed_analysis: analysis.into_iter().map(|batch| (batch.batch.unsigned_abs(), batch.reason)).collect(),
            failed_index: index.into_iter().map(|batch| (batch.batch.unsigned_abs(), batch.reason)).collect(),
        }))
    }

    /// Every file of a run's snapshot, by path.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn snapshot_rows(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
    ) -> Result<Vec<FileRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT s.path, s.oid, s.size, s.skip_reason AS clone_skip, f.language AS "language?", f.category AS "category?",
               f.lines AS "lines?", f.source_lines AS "source_lines?", f.parse_quality AS "parse_quality?",
               f.skip_reason AS "skip?", f.manifest AS "manifest?", (f.text_zstd IS NOT NULL) AS "has_text!",
               m.module AS "module?", m.rank AS "rank?"
               FROM snapshot_files s
               LEFT JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3
               LEFT JOIN module_files m ON m.run_id = s.run_id AND m.path = s.path
               WHERE s.run_id = $1 AND s.workspace_id = $2 ORDER BY s.path"#,
            run.as_uuid(),
            workspace.as_uuid(),
            analyser
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(FileRow {
                    path: row.path,
                    oid: oid(&row.oid)?,
                    size: row.size.unsigned_abs(),
                    clone_skip: row.clone_skip,
                    language: row.language,
                    category: row.category,
                    lines: row.lines.unwrap_or_default().unsigned_abs(),
                    source_lines: row.source_lines.unwrap_or_default().unsigned_abs(),
                    parse_quality: row.parse_quality,
                    skip: row.skip,
                    manifest: row.manifest,
                    has_text: row.has_text,
                    module: row.module,
                    rank: row.rank.unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Every module of a run, by slug.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn module_rows(&self, workspace: WorkspaceId, run: RunId) -> Result<Vec<ModuleRow>, StoreError> {
        Ok(sqlx::query_as!(
            ModuleRow,
            "SELECT slug, name, parent, path FROM modules WHERE run_id = $1 AND workspace_id = $2 ORDER BY slug",
            run.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How much the modules of a run use each other, by source and destination.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn module_edge_rows(&self, workspace: WorkspaceId, run: RunId) -> Result<Vec<ModuleEdgeRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT a.module AS src, b.module AS dst, sum(e.count) AS weight FROM edges e \
             JOIN module_files a ON a.run_id = e.run_id AND a.path = e.src_path \
             JOIN module_files b ON b.run_id = e.run_id AND b.path = e.dst_path \
             WHERE e.run_id = $1 AND e.workspace_id = $2 AND a.module <> b.module \
             GROUP BY a.module, b.module ORDER BY a.module COLLATE \"C\", b.module COLLATE \"C\"",
            run.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| ModuleEdgeRow { src: row.src, dst: row.dst, weight: count(row.weight) })
            .collect())
    }

    /// Which module uses which package from outside, by module and package.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn module_package_rows(
        &self,
        workspace: WorkspaceId,
        run: RunId,
    ) -> Result<Vec<ModulePackageRow>, StoreError> {
        let rows = sqlx::query!(
            "SELECT m.module, x.package, sum(x.count) AS imports, count(*) AS files FROM external_dependencies x \
             JOIN module_files m ON m.run_id = x.run_id AND m.path = x.path \
             WHERE x.run_id = $1 AND x.workspace_id = $2 \
             GROUP BY m.module, x.package ORDER BY m.module COLLATE \"C\", x.package",
            run.as_uuid(),
            workspace.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| ModulePackageRow {
                module: row.module,
                package: row.package,
                imports: count(row.imports),
                files: count(row.files),
            })
            .collect())
    }

    /// The text of a file of the snapshot, zstd, and its length limit is the caller's business. `None` if it is not
    /// stored.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn file_text(
        &self,
        workspace: WorkspaceId,
        run: RunId,
        analyser: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(sqlx::query_scalar!(
            "SELECT f.text_zstd FROM snapshot_files s \
             JOIN file_versions f ON f.file_version_id = s.file_version_id AND f.analyser = $3 \
             WHERE s.run_id = $1 AND s.workspace_id = $2 AND s.path = $4",
            run.as_uuid(),
            workspace.as_uuid(),
            analyser,
            path
        )
        .fetch_optional(&self.pool)
        .await?
        .flatten())
    }
}

fn oid(bytes: &[u8]) -> Result<Oid, StoreError> {
    Oid::from_bytes(bytes).map_err(|error| StoreError::corrupt("oid", error))
}
