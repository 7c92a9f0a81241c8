//! The end of a repository: hidden at once, its rows removed in the background.
//!
//! The order: the request marks the repository and writes the command to all pods; its runs are cancelled; the command
//! goes out; the row is deleted and takes every other row with it by foreign keys. Each step asks the rows what is left
//! to do, so whoever does them may be killed anywhere.

use caffeine_model::{RepositoryId, RunId, WorkspaceId};
use serde_json::json;

use super::audit::{self, Actor, Entry};
use super::outbox::{self, OutboxBody};
use crate::{Store, StoreError};

/// More runs than a repository has in the time for which events are stored.
const MAX_RUNS: i64 = 10_000;

/// Makes the command from the runs of which events may still be stored. The store knows no message, so the gateway
/// brings this.
pub type DeleteCommand<'a> = &'a (dyn Fn(Vec<RunId>) -> OutboxBody + Send + Sync);

impl Store {
    /// Begins the deletion of a repository: from now on nobody finds it. Whether there is such a repository; one that
    /// is being deleted already stays as it is.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn delete_repository(
        &self,
        by: &Actor,
        repository: RepositoryId,
        command: DeleteCommand<'_>,
    ) -> Result<bool, StoreError> {
        let workspace = by.workspace;
        let mut tx = self.pool.begin().await?;
        // Whoever asks for a run holds this lock, so there is no new run after it.
        let found = sqlx::query!(
            "SELECT deleting_at, name, url FROM repositories WHERE workspace_id = $1 AND repository_id = $2 FOR NO KEY UPDATE",
            workspace.as_uuid(),
            repository.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else { return Ok(false) };
        if found.deleting_at.is_some() {
            return Ok(true);
        }
        sqlx::query!("UPDATE repositories SET deleting_at = now() WHERE repository_id = $1", repository.as_uuid())
            .execute(&mut *tx)
            .await?;
        // Events are stored for a day.
        let runs = sqlx::query_scalar!(
            "SELECT run_id FROM runs \
             WHERE repository_id = $1 AND (ended_at IS NULL OR ended_at > now() - interval '25 hours') \
             ORDER BY created_at DESC LIMIT $2",
            repository.as_uuid(),
            MAX_RUNS
        )
        .fetch_all(&mut *tx)
        .await?;
        let command = command(runs.into_iter().map(RunId::from_uuid).collect());
        outbox::insert_for_repository(&mut tx, workspace, repository, &command).await?;
        let entry = Entry {
            action: "repository.deleted",
            object_kind: "repository",
            object_id: repository.to_string(),
            detail: json!({ "name": found.name, "url": found.url }),
        };
        audit::append(&mut tx, by, entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Up to `limit` repositories that are being deleted, those that have waited longest first.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn repositories_being_deleted(&self, limit: i64) -> Result<Vec<(WorkspaceId, RepositoryId)>, StoreError> {
        let rows = sqlx::query!(
            "SELECT workspace_id, repository_id FROM repositories WHERE deleting_at IS NOT NULL \
             ORDER BY deleting_at, repository_id LIMIT $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let ids = |workspace, repository| (WorkspaceId::from_uuid(workspace), RepositoryId::from_uuid(repository));
        Ok(rows.into_iter().map(|row| ids(row.workspace_id, row.repository_id)).collect())
    }

    /// The runs of a repository that have not ended, those that wait first: so that none of them is started by the
    /// end of another.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn live_runs(&self, workspace: WorkspaceId, repository: RepositoryId) -> Result<Vec<RunId>, StoreError> {
        let runs = sqlx::query_scalar!(
            "SELECT run_id FROM runs WHERE workspace_id = $1 AND repository_id = $2 AND ended_at IS NULL \
             ORDER BY state <> 'queued', run_id",
            workspace.as_uuid(),
            repository.as_uuid()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(runs.into_iter().map(RunId::from_uuid).collect())
    }

    /// Removes a repository that is being deleted with every row that hangs on it, if its command has gone out: before,
    /// its work could come back. Whether it is gone.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn erase_repository(&self, repository: RepositoryId) -> Result<bool, StoreError> {
        let deleted = sqlx::query!(
            "DELETE FROM repositories WHERE repository_id = ( \
                 SELECT p.repository_id FROM repositories p \
                 WHERE p.repository_id = $1 AND p.deleting_at IS NOT NULL \
                   AND NOT EXISTS (SELECT FROM outbox o WHERE o.repository_id = p.repository_id) \
                 FOR UPDATE SKIP LOCKED)",
            repository.as_uuid()
        )
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected() == 1)
    }
}
