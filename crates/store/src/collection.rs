//! Collection: rows that no kept snapshot needs any more are removed, by the service that wrote them.
//!
//! The view `kept_snapshots` says which snapshots are kept. The cloner removes the others; what only they listed is then
//! garbage of chunker and embedder. Planning takes the same lock per repository, so a plan never counts on a version that
//! is being collected: either the plan is there and lists it, or the plan finds it gone and sends it.

use caffeine_model::{RepositoryId, WorkspaceId};
use sqlx::PgConnection;

use crate::inbox::{self, InboxTable};
use crate::{Store, StoreError};

/// File versions removed under one hold of the lock: with their children about a second's work.
const VERSIONS_AT_ONCE: i64 = 500;

/// Held to the end of the transaction by planning and by collection: one of them at a time per repository.
pub(crate) async fn lock_repository(connection: &mut PgConnection, repository: RepositoryId) -> Result<(), StoreError> {
    // The time is in the upper half of the identifier, the random part in the lower.
    let (high, low) = repository.as_uuid().as_u64_pair();
    let key = (high ^ low).cast_signed();
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", key).execute(connection).await?;
    Ok(())
}

/// Runs a slice under the lock until one removes nothing, and adds up.
macro_rules! in_slices {
    ($store:expr, $repository:expr, $statement:literal) => {{
        let mut removed = 0;
        loop {
            let mut tx = $store.pool.begin().await?;
            lock_repository(&mut tx, $repository).await?;
            let slice = sqlx::query!($statement, $repository.as_uuid(), VERSIONS_AT_ONCE).execute(&mut *tx).await?;
            tx.commit().await?;
            removed += slice.rows_affected();
            if slice.rows_affected() == 0 {
                break removed;
            }
        }
    }};
}

impl Store {
    /// Repositories that have a snapshot which is not kept, or analysis that no snapshot lists.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn collectable_repositories(&self) -> Result<Vec<(WorkspaceId, RepositoryId)>, StoreError> {
        let rows = sqlx::query!(
            "SELECT workspace_id, repository_id FROM repositories p WHERE EXISTS (
                 SELECT FROM snapshots s WHERE s.repository_id = p.repository_id
                     AND NOT EXISTS (SELECT FROM kept_snapshots k
                                     WHERE k.repository_id = p.repository_id AND k.run_id = s.run_id))
             OR EXISTS (
                 SELECT FROM chunk_runs c JOIN runs r USING (run_id)
                 WHERE r.repository_id = p.repository_id AND r.ended_at IS NOT NULL
                   AND NOT EXISTS (SELECT FROM snapshots s WHERE s.run_id = c.run_id))
             OR EXISTS (
                 SELECT FROM embed_runs e JOIN runs r USING (run_id)
                 WHERE r.repository_id = p.repository_id AND r.ended_at IS NOT NULL
                   AND NOT EXISTS (SELECT FROM snapshots s WHERE s.run_id = e.run_id))
             ORDER BY repository_id"
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (WorkspaceId::from_uuid(row.workspace_id), RepositoryId::from_uuid(row.repository_id)))
            .collect())
    }

    /// The cloner's part: removes the snapshots of a repository that are not kept, and what its inbox remembers of runs
    /// that ended a day ago. Returns how many snapshots there were.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn collect_snapshots(&self, repository: RepositoryId) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        lock_repository(&mut tx, repository).await?;
        let removed = sqlx::query!(
            "DELETE FROM snapshots WHERE repository_id = $1
                 AND run_id NOT IN (SELECT run_id FROM kept_snapshots WHERE repository_id = $1)",
            repository.as_uuid()
        )
        .execute(&mut *tx)
        .await?;
        inbox::forget_ended(&mut tx, InboxTable::Clone, repository).await?;
        tx.commit().await?;
        Ok(removed.rows_affected())
    }

    /// The chunker's part: removes file versions that no snapshot lists for a run of their analyser, and the edges and
    /// modules of runs whose snapshot is gone. Returns how many file versions there were.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn collect_analysis(&self, repository: RepositoryId) -> Result<u64, StoreError> {
        let removed = in_slices!(
            self,
            repository,
            "DELETE FROM file_versions WHERE (file_version_id, analyser) IN (
                 SELECT f.file_version_id, f.analyser FROM file_versions f
                 WHERE f.repository_id = $1 AND NOT EXISTS (
                     SELECT FROM snapshot_files s JOIN runs r USING (run_id)
                     WHERE s.file_version_id = f.file_version_id AND r.analyser = f.analyser)
                 LIMIT $2)"
        );
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "DELETE FROM chunk_runs WHERE run_id IN (
                 SELECT r.run_id FROM runs r WHERE r.repository_id = $1 AND r.ended_at IS NOT NULL
                     AND NOT EXISTS (SELECT FROM snapshots s WHERE s.run_id = r.run_id))",
            repository.as_uuid()
        )
        .execute(&mut *tx)
        .await?;
        inbox::forget_ended(&mut tx, InboxTable::Chunk, repository).await?;
        tx.commit().await?;
        Ok(removed)
    }

    /// The embedder's part: removes the chunks and vectors of file versions that no snapshot lists for a run of their
    /// analyser and model. Returns how many file versions there were.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn collect_index(&self, repository: RepositoryId) -> Result<u64, StoreError> {
        let removed = in_slices!(
            self,
            repository,
            "DELETE FROM embedded_versions WHERE (file_version_id, analyser, model) IN (
                 SELECT e.file_version_id, e.analyser, e.model FROM embedded_versions e
                 WHERE e.repository_id = $1 AND NOT EXISTS (
                     SELECT FROM snapshot_files s JOIN runs r USING (run_id)
                     WHERE s.file_version_id = e.file_version_id AND r.analyser = e.analyser
                       AND r.embedding_model = e.model)
                 LIMIT $2)"
        );
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "DELETE FROM embed_runs WHERE run_id IN (
                 SELECT r.run_id FROM runs r WHERE r.repository_id = $1 AND r.ended_at IS NOT NULL
                     AND NOT EXISTS (SELECT FROM snapshots s WHERE s.run_id = r.run_id))",
            repository.as_uuid()
        )
        .execute(&mut *tx)
        .await?;
        inbox::forget_ended(&mut tx, InboxTable::Embed, repository).await?;
        tx.commit().await?;
        Ok(removed)
    }
}
