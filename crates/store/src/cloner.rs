//! What the cloner stores: the pinned commit of a run, its listing and its plan.
//!
//! The plan is written whole, in one transaction, before anything is published: a second cloner that comes too late
//! reads the winner's plan, and a repeat replays it instead of computing the difference again.

mod credentials;

use std::collections::HashSet;

use caffeine_model::{FileVersionId, Lane, Oid, RepoPath, RepositoryId, RunId, WorkId, WorkspaceId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::collection::lock_repository;
use crate::copy::integer;
use crate::inbox::{self, InboxTable};
use crate::{Store, StoreError};

pub use credentials::SealedCredential;

/// Rows per statement: bounds the size of one statement's parameters to about a megabyte.
const ROWS_PER_INSERT: usize = 4_000;

/// The last second of the year 9999: what a commit claims beyond it is a joke, and PostgreSQL stops at some point.
const LATEST_COMMIT: i64 = 253_402_300_799;

/// A commit to be pinned for a run.
#[derive(Debug, Clone)]
pub struct NewSnapshot {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The repository.
    pub repository: RepositoryId,
    /// The run.
    pub run: RunId,
    /// Analyser that the run is fixed to: decides which file versions are known.
    pub analyser: String,
    /// Embedding model that the run is fixed to: decides which file versions are known.
    pub embedding_model: String,
    /// The ref that was resolved, in full (`refs/heads/main`), or a commit id.
    pub git_ref: String,
    /// The commit; twenty zero bytes for a repository without commits.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// When the commit says it was made, in seconds since 1970-01-01 UTC; clamped to the years 1970 to 9999.
    pub committed_at: i64,
    /// The listing stopped at a limit.
    pub truncated: bool,
}

/// One entry of a snapshot's listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its path, unique in the snapshot.
    pub path: RepoPath,
    /// What it is analysed as.
    pub version: FileVersionId,
    /// The object git stores for it.
    pub oid: Oid,
    /// As git stores it: `0o100644` regular, `0o100755` executable, `0o120000` symlink, `0o160000` submodule,
    /// `0o040000` for a directory that was not listed.
    pub mode: u32,
    /// Bytes of its content, 0 for submodules and directories.
    pub size: u64,
    /// The batch it travels in; `None` if it is known already or skipped.
    pub batch: Option<u32>,
    /// Why it never travels.
    pub skip_reason: Option<&'static str>,
}

/// The plan in numbers. `files` counts every entry of the listing; `files - known - skipped` travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTotals {
    /// The lane of everything that follows from the plan.
    pub lane: Lane,
    /// How many batches.
    pub batches: u32,
    /// Entries of the listing.
    pub files: u32,
    /// Of which are analysed and embedded already.
    pub known: u32,
    /// Of which never travel.
    pub skipped: u32,
    /// Bytes of content that travel.
    pub bytes: u64,
}

/// A plan as it was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlan {
    /// The ref that was resolved.
    pub git_ref: String,
    /// The pinned commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// The listing stopped at a limit.
    pub truncated: bool,
    /// The plan in numbers.
    pub totals: PlanTotals,
}

/// A file that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// The batch it travels in.
    pub batch: u32,
    /// Its path.
    pub path: RepoPath,
    /// What it is analysed as.
    pub version: FileVersionId,
    /// Where its content is.
    pub oid: Oid,
    /// Bytes of its content.
    pub size: u64,
}

impl Store {
    /// The plan of a run, if there is one.
    ///
    /// # Errors
    /// If the database cannot be asked, or a row is not readable.
    pub async fn clone_plan(&self, workspace: WorkspaceId, run: RunId) -> Result<Option<StoredPlan>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        stored_plan(&mut connection, workspace, run).await
    }

    /// Pins a commit and its plan, and records the work as done, all at once. `cut` gets the listing and the versions
    /// that are known already, and puts the rest into batches. If the run has a plan already, that one is returned,
    /// whatever it says, and `cut` is not called.
    ///
    /// Takes the repository's lock, so that no version is collected between the look and the plan.
    ///
    /// # Errors
    /// [`StoreError::ReferenceGone`] if the run is gone or belongs to somebody else.
    pub async fn pin_snapshot(
        &self,
        work: WorkId,
        snapshot: &NewSnapshot,
        mut files: Vec<SnapshotFile>,
        cut: impl FnOnce(&mut [SnapshotFile], &HashSet<FileVersionId>) -> PlanTotals + Send,
    ) -> Result<StoredPlan, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_repository(&mut tx, snapshot.repository).await?;
        if insert_snapshot(&mut tx, snapshot).await? {
            let known = known_versions(&mut tx, snapshot, &files).await?;
            let totals = cut(&mut files, &known);
            for rows in files.chunks(ROWS_PER_INSERT) {
                insert_files(&mut tx, snapshot, rows).await?;
            }
            insert_totals(&mut tx, snapshot, &totals).await?;
        }
        let plan = stored_plan(&mut tx, snapshot.workspace, snapshot.run)
            .await?
            .ok_or(StoreError::ReferenceGone(sqlx::Error::RowNotFound))?;
        inbox::done(&mut tx, InboxTable::Clone, work, snapshot.workspace, snapshot.run).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// The files of a plan that travel, by batch and path.
    ///
    /// # Errors
    /// If the database cannot be asked, or a row is not readable.
    pub async fn planned_files(&self, workspace: WorkspaceId, run: RunId) -> Result<Vec<PlannedFile>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT batch AS "batch!", path, file_version_id, oid, size FROM snapshot_files
               WHERE run_id = $1 AND workspace_id = $2 AND batch IS NOT NULL ORDER BY batch, path"#,
            run.as_uuid(),
            workspace.as_uuid(),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(PlannedFile {
                    batch: count(row.batch),
                    path: RepoPath::try_from(row.path)
                        .map_err(|error| StoreError::corrupt("snapshot_files.path", error))?,
                    version: FileVersionId::from_uuid(row.file_version_id),
                    oid: oid("snapshot_files.oid", &row.oid)?,
                    size: row.size.unsigned_abs(),
                })
            })
            .collect()
    }

    /// Workspace and address of every repository that is kept: what mirrors may be of.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn kept_addresses(&self) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
        let rows = sqlx::query!("SELECT DISTINCT workspace_id, url FROM repositories WHERE deleting_at IS NULL")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|row| (WorkspaceId::from_uuid(row.workspace_id), row.url)).collect())
    }

    /// Records that a request to clone was rejected, as `<code>: <sentence>`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn reject_clone(
        &self,
        work: WorkId,
        workspace: WorkspaceId,
        run: RunId,
        detail: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        inbox::rejected(&mut tx, InboxTable::Clone, work, workspace, run, detail).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Whether this call inserted the row; otherwise there is one already, or no such run.
async fn insert_snapshot(connection: &mut PgConnection, new: &NewSnapshot) -> Result<bool, StoreError> {
    let committed_at: DateTime<Utc> =
        DateTime::from_timestamp(new.committed_at.clamp(0, LATEST_COMMIT), 0).unwrap_or_default();
    let inserted = sqlx::query!(
        "INSERT INTO snapshots
             (run_id, workspace_id, repository_id, ref, commit_oid, tree_oid, committed_at, truncated)
         SELECT run_id, workspace_id, repository_id, $4, $5, $6, $7, $8 FROM runs
         WHERE run_id = $1 AND workspace_id = $2 AND repository_id = $3
         ON CONFLICT DO NOTHING",
        new.run.as_uuid(),
        new.workspace.as_uuid(),
        new.repository.as_uuid(),
        new.git_ref,
        new.commit.as_bytes(),
        new.tree.as_bytes(),
        committed_at,
        new.truncated,
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Of these files, the versions that both the analysis and the index have completely.
async fn known_versions(
    connection: &mut PgConnection,
    snapshot: &NewSnapshot,
    files: &[SnapshotFile],
) -> Result<HashSet<FileVersionId>, StoreError> {
    let candidates: Vec<_> =
        files.iter().filter(|file| file.skip_reason.is_none()).map(|file| file.version.as_uuid()).collect();
    let rows = sqlx::query_scalar!(
        "SELECT file_version_id FROM file_versions JOIN embedded_versions USING (file_version_id, analyser)
         WHERE file_version_id = ANY($1) AND analyser = $2 AND model = $3 AND file_versions.repository_id = $4",
        &candidates,
        snapshot.analyser,
        snapshot.embedding_model,
        snapshot.repository.as_uuid(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(FileVersionId::from_uuid).collect())
}

async fn insert_files(
    connection: &mut PgConnection,
    snapshot: &NewSnapshot,
    files: &[SnapshotFile],
) -> Result<(), StoreError> {
    let paths: Vec<String> = files.iter().map(|file| file.path.as_str().to_owned()).collect();
    let versions: Vec<_> = files.iter().map(|file| file.version.as_uuid()).collect();
    let oids: Vec<Vec<u8>> = files.iter().map(|file| file.oid.as_bytes().to_vec()).collect();
    let modes: Vec<i32> = files.iter().map(|file| integer(file.mode)).collect();
    let sizes: Vec<i64> = files.iter().map(|file| bigint(file.size)).collect();
    let batches: Vec<Option<i32>> = files.iter().map(|file| file.batch.map(integer)).collect();
    let reasons: Vec<Option<String>> = files.iter().map(|file| file.skip_reason.map(str::to_owned)).collect();
    sqlx::query!(
        "INSERT INTO snapshot_files
             (run_id, workspace_id, repository_id, path, file_version_id, oid, mode, size, batch, skip_reason)
         SELECT $1, $2, $3, entry.* FROM UNNEST
             ($4::text[], $5::uuid[], $6::bytea[], $7::integer[], $8::bigint[], $9::integer[], $10::text[]) AS entry",
        snapshot.run.as_uuid(),
        snapshot.workspace.as_uuid(),
        snapshot.repository.as_uuid(),
        &paths,
        &versions,
        &oids,
        &modes,
        &sizes,
        &batches as &[Option<i32>],
        &reasons as &[Option<String>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_totals(
    connection: &mut PgConnection,
    snapshot: &NewSnapshot,
    totals: &PlanTotals,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO clone_runs (run_id, workspace_id, lane, batches, files, known, skipped, bytes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        snapshot.run.as_uuid(),
        snapshot.workspace.as_uuid(),
        totals.lane.as_str(),
        integer(totals.batches),
        integer(totals.files),
        integer(totals.known),
        integer(totals.skipped),
        bigint(totals.bytes),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn stored_plan(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<Option<StoredPlan>, StoreError> {
    let row = sqlx::query!(
        "SELECT ref, commit_oid, tree_oid, truncated, lane, batches, files, known, skipped, bytes
         FROM snapshots JOIN clone_runs USING (run_id) WHERE run_id = $1 AND snapshots.workspace_id = $2",
        run.as_uuid(),
        workspace.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(StoredPlan {
        git_ref: row.r#ref,
        commit: oid("snapshots.commit_oid", &row.commit_oid)?,
        tree: oid("snapshots.tree_oid", &row.tree_oid)?,
        truncated: row.truncated,
        totals: PlanTotals {
            lane: row.lane.parse().map_err(|error| StoreError::corrupt("clone_runs.lane", error))?,
            batches: count(row.batches),
            files: count(row.files),
            known: count(row.known),
            skipped: count(row.skipped),
            bytes: row.bytes.unsigned_abs(),
        },
    }))
}

fn oid(column: &'static str, bytes: &[u8]) -> Result<Oid, StoreError> {
    Oid::from_bytes(bytes).map_err(|error| StoreError::corrupt(column, error))
}

fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: i32) -> u32 {
    value.unsigned_abs()
}
