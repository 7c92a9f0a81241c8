//! What the housekeeper asks: it reads and never writes.

use std::time::Duration;

use caffeine_model::{Generation, RepositoryId, RunId, RunState, WorkspaceId};

use crate::{Store, StoreError};

/// A working run of which nothing has been heard for a while and that no request waits to be published for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentRun {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The repository.
    pub repository: RepositoryId,
    /// The run.
    pub run: RunId,
    /// The analyser that it is fixed to.
    pub analyser: String,
    /// The embedding model that it is fixed to.
    pub embedding_model: String,
    /// The generation in which it would be asked again.
    pub next: Generation,
}

impl Store {
    /// Whether a run has ended or is gone: nothing of it is wanted any more.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn run_is_over(&self, run: RunId) -> Result<bool, StoreError> {
        let working = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM runs WHERE run_id = $1 AND ended_at IS NULL) AS "working!""#,
            run.as_uuid()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(!working)
    }

    /// How many runs are in each state that is no end.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn working_runs(&self) -> Result<Vec<(RunState, u64)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT state, count(*) AS "count!" FROM runs WHERE ended_at IS NULL GROUP BY state ORDER BY state"#
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let state = row.state.parse().map_err(|error| StoreError::corrupt("state", error))?;
                Ok((state, row.count.unsigned_abs()))
            })
            .collect()
    }

    /// The working runs of which nothing has been heard for `silence`, the longest first, at most `limit`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn silent_runs(&self, silence: Duration, limit: i64) -> Result<Vec<SilentRun>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT r.workspace_id, r.repository_id, r.run_id, r.analyser, r.embedding_model,
                      (SELECT count(*) FROM run_events e
                       WHERE e.run_id = r.run_id AND e.transition LIKE 'asked\_again/%') AS "asked_again!"
               FROM runs r
               WHERE r.ended_at IS NULL AND r.state <> 'queued'
                 AND r.progressed_at < now() - make_interval(secs => $1)
                 AND NOT EXISTS (SELECT FROM outbox o WHERE o.run_id = r.run_id)
               ORDER BY r.progressed_at, r.run_id
               LIMIT $2"#,
            silence.as_secs_f64(),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| SilentRun {
                workspace: WorkspaceId::from_uuid(row.workspace_id),
                repository: RepositoryId::from_uuid(row.repository_id),
                run: RunId::from_uuid(row.run_id),
                analyser: row.analyser,
                embedding_model: row.embedding_model,
                next: Generation(u32::try_from(row.asked_again).unwrap_or(u32::MAX)).next(),
            })
            .collect())
    }
}
