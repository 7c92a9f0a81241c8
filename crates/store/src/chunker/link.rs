//! Linking a snapshot once, and writing the graph of its files.

use std::future::Future;

use chrono::{DateTime, Utc};
use futures::TryFutureExt;
use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::batch::lock_run;
use super::rows::{EdgeRow, ExternalDependencyRow, ModuleFileRow, ModuleRow};
use super::snapshot::{SnapshotFile, SnapshotRefs, send_snapshot};
use crate::copy::{CopyRows, copy_all};
use crate::fan_in::{WorkOf, count};
use crate::inbox::{InboxTable, done};
use crate::{Store, StoreError};

/// How many files, and the mentions of how many files, may wait for linking.
const WAITING: usize = 16;

/// The graph of a snapshot.
pub struct LinkRows {
    /// Relations, in their final order. There can be millions, so each is made when it is written.
    pub edges: Box<dyn Iterator<Item = EdgeRow> + Send>,
    /// Modules.
    pub modules: Vec<ModuleRow>,
    /// The files of the modules.
    pub files: Vec<ModuleFileRow>,
    /// Packages from outside.
    pub externals: Vec<ExternalDependencyRow>,
}

/// What the analysis of a run amounts to, counted from its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Files of the snapshot that were analysed.
    pub files: u32,
    /// Files of the snapshot that were left out, by the plan or by the analysis.
    pub skipped: u32,
    /// Symbols of the snapshot.
    pub symbols: u32,
    /// Relations.
    pub edges: u32,
    /// Modules.
    pub modules: u32,
    /// Batches that could not be analysed.
    pub failed_batches: u32,
    /// When linking had ended; the same on every repeat.
    pub linked_at: DateTime<Utc>,
}

impl Store {
    /// Links a run once: passes the analyses of its snapshot to `link`, first what is held of every file, then what each
    /// mentions, both in order of path, and stores what it answers. A run that is linked only counts its rows. Two
    /// callers with one run wait for each other.
    ///
    /// At most `max_rows` imports, symbols and references are read, in this order; a kind that does not fit is left
    /// out as a whole. With imports alone there are still edges between files.
    ///
    /// # Errors
    /// If the database refuses, the run is gone, or `link` fails; then nothing is stored.
    pub async fn link_run<Link, Linking, Error>(
        &self,
        of: &WorkOf,
        analyser: &str,
        max_rows: u32,
        link: Link,
    ) -> Result<Linked, Error>
    where
        Link: FnOnce(mpsc::Receiver<SnapshotFile>, mpsc::Receiver<SnapshotRefs>) -> Linking + Send,
        Linking: Future<Output = Result<LinkRows, Error>> + Send,
        Error: From<StoreError>,
    {
        let mut tx = self.pool.begin().await.map_err(StoreError::from)?;
        if !begin(&mut tx, of).await? {
            let (files, files_read) = mpsc::channel(WAITING);
            let (refs, refs_read) = mpsc::channel(WAITING);
            let sending = send_snapshot(&mut tx, of, analyser, max_rows, files, refs);
            let ((), rows) = tokio::try_join!(sending.map_err(Error::from), link(files_read, refs_read))?;
            write(&mut tx, of, rows).await?;
        }
        let linked = count_rows(&mut tx, of, analyser).await?;
        done(&mut tx, InboxTable::Chunk, of.work, of.workspace, of.run).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(linked)
    }
}

/// Takes the run's linking lock and says whether the run is linked already. Batches do not wait for this lock.
async fn begin(tx: &mut PgConnection, of: &WorkOf) -> Result<bool, StoreError> {
    // The transaction is idle while the snapshot is linked; as long as the job may take.
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '20min'").execute(&mut *tx).await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", format!("link/{}", of.run))
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO chunk_runs (run_id, workspace_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        of.run.as_uuid(),
        of.workspace.as_uuid()
    )
    .execute(&mut *tx)
    .await?;
    let linked = sqlx::query_scalar!(
        r#"SELECT linked_at IS NOT NULL AS "linked!" FROM chunk_runs WHERE run_id = $1"#,
        of.run.as_uuid()
    )
    .fetch_one(tx)
    .await?;
    Ok(linked)
}

/// Stores the graph. The linking lock is held and the run was not linked, so no row of it is there.
async fn write(tx: &mut PgConnection, of: &WorkOf, rows: LinkRows) -> Result<(), StoreError> {
    let (run, workspace) = (of.run.as_uuid(), of.workspace.as_uuid());
    // First: the rows below take a weaker lock on the same row, and raising a lock can deadlock with a batch.
    lock_run(tx, of).await?;
    let statement = "COPY edges (run_id, ordinal, workspace_id, src_path, src_symbol, dst_path, dst_symbol, kind, \
                     tier, line, count) FROM STDIN (FORMAT binary)";
    copy_all(tx, statement, 11, (0..).zip(rows.edges), |row, (ordinal, edge)| {
        row.uuid(run)
            .integer(ordinal)
            .uuid(workspace)
            .text(&edge.src_path)
            .integer_or_null(edge.src_symbol)
            .text(&edge.dst_path)
            .integer_or_null(edge.dst_symbol)
            .text(edge.kind)
            .smallint(edge.tier.into())
            .integer(edge.line)
            .integer(edge.count);
    })
    .await?;
    let mut modules = CopyRows::new(6);
    for module in &rows.modules {
        modules
            .row()
            .uuid(run)
            .text(&module.slug)
            .uuid(workspace)
            .text(&module.name)
            .text_or_null(module.parent.as_deref())
            .text(&module.path);
    }
    let mut files = CopyRows::new(5);
    for file in &rows.files {
        files.row().uuid(run).text(&file.path).uuid(workspace).text(&file.module).double(file.rank);
    }
    let mut externals = CopyRows::new(5);
    for external in &rows.externals {
        externals.row().uuid(run).text(&external.path).text(&external.package).uuid(workspace).integer(external.count);
    }
    modules
        .send(tx, "COPY modules (run_id, slug, workspace_id, name, parent, path) FROM STDIN (FORMAT binary)")
        .await?;
    files.send(tx, "COPY module_files (run_id, path, workspace_id, module, rank) FROM STDIN (FORMAT binary)").await?;
    externals
        .send(tx, "COPY external_dependencies (run_id, path, package, workspace_id, count) FROM STDIN (FORMAT binary)")
        .await?;
    sqlx::query!("UPDATE chunk_runs SET linked_at = clock_timestamp() WHERE run_id = $1", run).execute(tx).await?;
    Ok(())
}

async fn count_rows(tx: &mut PgConnection, of: &WorkOf, analyser: &str) -> Result<Linked, StoreError> {
    let row = sqlx::query!(
        r#"SELECT
               (SELECT count(*) FROM snapshot_files JOIN file_versions USING (file_version_id)
                WHERE run_id = $1 AND analyser = $2 AND file_versions.skip_reason IS NULL) AS "files!",
               (SELECT count(*) FROM snapshot_files AS listed
                LEFT JOIN file_versions AS stored
                    ON stored.file_version_id = listed.file_version_id AND stored.analyser = $2
                WHERE run_id = $1 AND (listed.skip_reason IS NOT NULL OR stored.skip_reason IS NOT NULL))
                   AS "skipped!",
               (SELECT count(*) FROM snapshot_files JOIN symbols USING (file_version_id)
                WHERE run_id = $1 AND analyser = $2) AS "symbols!",
               (SELECT count(*) FROM edges WHERE run_id = $1) AS "edges!",
               (SELECT count(*) FROM modules WHERE run_id = $1) AS "modules!",
               (SELECT count(*) FROM file_batches WHERE run_id = $1 AND failure_reason IS NOT NULL)
                   AS "failed_batches!",
               linked_at AS "linked_at!"
           FROM chunk_runs WHERE run_id = $1"#,
        of.run.as_uuid(),
        analyser
    )
    .fetch_one(tx)
    .await?;
    Ok(Linked {
        files: count(row.files),
        skipped: count(row.skipped),
        symbols: count(row.symbols),
        edges: count(row.edges),
        modules: count(row.modules),
        failed_batches: count(row.failed_batches),
        linked_at: row.linked_at,
    })
}
