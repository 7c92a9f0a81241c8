//! The outbox: what an HTTP request wants to say on the bus, written with its effects.

use std::time::Duration;

use caffeine_model::{OutboxId, RepositoryId, RunId, WorkspaceId};
use sqlx::PgConnection;

use crate::{Store, StoreError};

/// A message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxBody {
    /// Name of the message in the contract's table (`clone.requested`), or `control` for a command.
    pub kind: &'static str,
    /// Encoded; work with its scope.
    pub body: Vec<u8>,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub traceparent: Option<String>,
}

/// A message that waits to be published.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// Its identifier.
    pub id: OutboxId,
    /// Name of the message in the contract's table, or `control` for a command.
    pub kind: String,
    /// Encoded; work with its scope.
    pub body: Vec<u8>,
    /// How often it could not be published.
    pub failed_attempts: u32,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub traceparent: Option<String>,
}

impl Store {
    /// Takes up to `limit` due messages for `lease`: until it ends no other relay sees them, so a relay that dies
    /// delays its rows and loses none. Nothing is locked while the broker is asked.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn outbox_take(&self, limit: i64, lease: Duration) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = sqlx::query!(
            "UPDATE outbox SET not_before = now() + make_interval(secs => $2) \
             WHERE outbox_id IN ( \
                 SELECT outbox_id FROM outbox WHERE not_before <= now() \
                 ORDER BY not_before, outbox_id LIMIT $1 FOR UPDATE SKIP LOCKED) \
             RETURNING outbox_id, kind, body, failed_attempts, traceparent",
            limit,
            lease.as_secs_f64()
        )
        .fetch_all(&self.pool)
        .await?;
        let mut rows: Vec<OutboxRow> = rows
            .into_iter()
            .map(|row| OutboxRow {
                id: OutboxId::from_uuid(row.outbox_id),
                kind: row.kind,
                body: row.body,
                failed_attempts: row.failed_attempts.unsigned_abs(),
                traceparent: row.traceparent,
            })
            .collect();
        // In the order of their writing.
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    /// Removes a message that the broker has acknowledged.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn outbox_published(&self, id: OutboxId) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM outbox WHERE outbox_id = $1", id.as_uuid()).execute(&self.pool).await?;
        Ok(())
    }

    /// Puts a message back, not to be tried before `delay` has passed.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn outbox_delay(&self, id: OutboxId, delay: Duration) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE outbox SET failed_attempts = failed_attempts + 1, not_before = now() + make_interval(secs => $2) \
             WHERE outbox_id = $1",
            id.as_uuid(),
            delay.as_secs_f64()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Writes messages of a run, part of the transaction that causes them.
pub(super) async fn insert(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    run: RunId,
    bodies: &[OutboxBody],
) -> Result<(), StoreError> {
    for message in bodies {
        sqlx::query!(
            "INSERT INTO outbox (outbox_id, workspace_id, run_id, kind, body, traceparent) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            OutboxId::generate().as_uuid(),
            workspace.as_uuid(),
            run.as_uuid(),
            message.kind,
            message.body,
            message.traceparent
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Writes a command about a repository, part of the transaction that causes it.
pub(super) async fn insert_for_repository(
    connection: &mut PgConnection,
    workspace: WorkspaceId,
    repository: RepositoryId,
    message: &OutboxBody,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO outbox (outbox_id, workspace_id, repository_id, kind, body, traceparent) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        OutboxId::generate().as_uuid(),
        workspace.as_uuid(),
        repository.as_uuid(),
        message.kind,
        message.body,
        message.traceparent
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what a run still wants to say: it has ended. What a relay has taken already goes out and is dropped by its
/// reader.
pub(super) async fn withdraw(connection: &mut PgConnection, run: RunId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM outbox WHERE run_id = $1", run.as_uuid()).execute(connection).await?;
    Ok(())
}
