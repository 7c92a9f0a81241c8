//! The inboxes: one table per consuming service, all shaped alike.

use caffeine_model::{Generation, RepositoryId, RunId, WorkId, WorkspaceId};
use sqlx::PgConnection;

use crate::copy::integer;
use crate::{Store, StoreError};

/// Whose inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboxTable {
    /// The cloner's.
    Clone,
    /// The chunker's.
    Chunk,
    /// The embedder's.
    Embed,
    /// The doc-writer's.
    Document,
}

/// What an inbox remembers of a piece of work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboxEntry {
    /// Failed attempts.
    pub attempts: u32,
    /// Deliveries that began and have not ended with a word; `None` if there is no row. The first delivery writes
    /// nothing when it begins.
    pub open_deliveries: Option<u32>,
    /// `done`, `rejected`, or nothing yet.
    pub outcome: Option<String>,
    /// The last reason; of a rejection `<code>: <sentence>`.
    pub detail: Option<String>,
    /// The generation in which a person has last sent it again after a rejection; the first if nobody has.
    pub retried: Generation,
}

/// Runs the same statement on the table of `$which`: statements are checked at compile time, so each table needs its
/// own literal.
macro_rules! on_table {
    ($which:expr, |$table:ident| $run:ident!($($args:tt)*)) => {
        match $which {
            InboxTable::Clone => $run!("clone_inbox", $($args)*),
            InboxTable::Chunk => $run!("chunk_inbox", $($args)*),
            InboxTable::Embed => $run!("embed_inbox", $($args)*),
            InboxTable::Document => $run!("document_inbox", $($args)*),
        }
    };
}

macro_rules! read {
    ($table:tt, $pool:expr, $work:expr) => {
        sqlx::query!(
            "SELECT attempts, open_deliveries, outcome, detail, retried_generation FROM "
                + $table
                + " WHERE work_id = $1",
            $work
        )
        .fetch_optional($pool)
        .await?
        .map(|row| InboxEntry {
            attempts: row.attempts.unsigned_abs(),
            open_deliveries: Some(row.open_deliveries.unsigned_abs()),
            outcome: row.outcome,
            detail: row.detail,
            retried: Generation(row.retried_generation.unsigned_abs()),
        })
    };
}

macro_rules! count {
    ($table:tt, $pool:expr, $work:expr, $workspace:expr, $run:expr, $reason:expr) => {
        sqlx::query_scalar!(
            "INSERT INTO "
                + $table
                + " AS inbox (work_id, workspace_id, run_id, attempts, detail) VALUES ($1, $2, $3, 1, $4) \
             ON CONFLICT (work_id) DO UPDATE SET attempts = inbox.attempts + 1, open_deliveries = 0, detail = $4, \
             updated_at = now() RETURNING attempts",
            $work,
            $workspace,
            $run,
            $reason
        )
        .fetch_one($pool)
        .await?
    };
}

macro_rules! start {
    ($table:tt, $pool:expr, $work:expr, $workspace:expr, $run:expr) => {
        sqlx::query!(
            "INSERT INTO "
                + $table
                + " AS inbox (work_id, workspace_id, run_id, open_deliveries) VALUES ($1, $2, $3, 2) \
             ON CONFLICT (work_id) DO UPDATE SET open_deliveries = inbox.open_deliveries + 1, updated_at = now()",
            $work,
            $workspace,
            $run
        )
        .execute($pool)
        .await?
    };
}

macro_rules! end {
    ($table:tt, $pool:expr, $work:expr, $workspace:expr, $run:expr) => {
        sqlx::query!(
            "INSERT INTO "
                + $table
                + " AS inbox (work_id, workspace_id, run_id) VALUES ($1, $2, $3) \
             ON CONFLICT (work_id) DO UPDATE SET open_deliveries = 0, updated_at = now()",
            $work,
            $workspace,
            $run
        )
        .execute($pool)
        .await?
    };
}

macro_rules! forget {
    ($table:tt, $pool:expr, $work:expr, $generation:expr) => {
        sqlx::query!(
            "UPDATE "
                + $table
                + " SET outcome = NULL, detail = NULL, attempts = 0, open_deliveries = 0, \
                 retried_generation = $2, updated_at = now() \
             WHERE work_id = $1 AND outcome = 'rejected'",
            $work,
            $generation
        )
        .execute($pool)
        .await?
    };
}

macro_rules! settle {
    ($table:tt, $connection:expr, $work:expr, $workspace:expr, $run:expr, $outcome:expr, $detail:expr) => {
        sqlx::query!(
            "INSERT INTO "
                + $table
                + " AS inbox (work_id, workspace_id, run_id, outcome, detail) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (work_id) DO UPDATE SET outcome = $4, detail = $5, updated_at = now() \
             WHERE inbox.outcome IS DISTINCT FROM 'done'",
            $work,
            $workspace,
            $run,
            $outcome,
            $detail
        )
        .execute($connection)
        .await?
    };
}

impl Store {
    /// What the inbox knows about a piece of work; the default if nothing.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn inbox_entry(&self, table: InboxTable, work: WorkId) -> Result<InboxEntry, StoreError> {
        let entry = on_table!(table, |t| read!(&self.pool, work.as_uuid()));
        Ok(entry.unwrap_or_default())
    }

    /// Counts a failed attempt and returns how many there are now.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn inbox_count_attempt(
        &self,
        table: InboxTable,
        work: WorkId,
        workspace: WorkspaceId,
        run: RunId,
        reason: &str,
    ) -> Result<u32, StoreError> {
        let attempts =
            on_table!(table, |t| count!(&self.pool, work.as_uuid(), workspace.as_uuid(), run.as_uuid(), reason));
        Ok(attempts.unsigned_abs())
    }

    /// Notes that a repeated delivery begins. Work without a row was delivered once, and that delivery left no word.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn inbox_delivery_started(
        &self,
        table: InboxTable,
        work: WorkId,
        workspace: WorkspaceId,
        run: RunId,
    ) -> Result<(), StoreError> {
        on_table!(table, |t| start!(&self.pool, work.as_uuid(), workspace.as_uuid(), run.as_uuid()));
        Ok(())
    }

    /// Notes that a delivery ended without an outcome, by a process that lives.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn inbox_delivery_ended(
        &self,
        table: InboxTable,
        work: WorkId,
        workspace: WorkspaceId,
        run: RunId,
    ) -> Result<(), StoreError> {
        on_table!(table, |t| end!(&self.pool, work.as_uuid(), workspace.as_uuid(), run.as_uuid()));
        Ok(())
    }

    /// Forgets that a piece of work was rejected: a person wants it tried again from its first attempt, in this generation.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn inbox_forget_rejection(
        &self,
        table: InboxTable,
        work: WorkId,
        generation: Generation,
    ) -> Result<(), StoreError> {
        let generation = integer(generation.0);
        on_table!(table, |t| forget!(&self.pool, work.as_uuid(), generation));
        Ok(())
    }
}

/// Records that the effects of a piece of work are stored. Part of the transaction that stores them.
pub(crate) async fn done(
    connection: &mut PgConnection,
    table: InboxTable,
    work: WorkId,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<(), StoreError> {
    let detail: Option<&str> = None;
    on_table!(table, |t| settle!(connection, work.as_uuid(), workspace.as_uuid(), run.as_uuid(), "done", detail));
    Ok(())
}

/// Records that a piece of work was rejected, as `<code>: <sentence>`. A stored *done* stays.
pub(crate) async fn rejected(
    connection: &mut PgConnection,
    table: InboxTable,
    work: WorkId,
    workspace: WorkspaceId,
    run: RunId,
    detail: &str,
) -> Result<(), StoreError> {
    on_table!(table, |t| settle!(
        connection,
        work.as_uuid(),
        workspace.as_uuid(),
        run.as_uuid(),
        "rejected",
        Some(detail)
    ));
    Ok(())
}

macro_rules! forget_ended {
    ($table:tt, $connection:expr, $repository:expr) => {
        sqlx::query!(
            "DELETE FROM "
                + $table
                + " WHERE run_id IN (SELECT run_id FROM runs WHERE repository_id = $1 \
                                     AND ended_at < now() - interval '1 day')",
            $repository
        )
        .execute($connection)
        .await?
    };
}

/// Forgets the work of a repository's runs that ended a day ago: longer than any repeat of it can still be on its way.
/// A later one would find the same rows and change nothing.
pub(crate) async fn forget_ended(
    connection: &mut PgConnection,
    table: InboxTable,
    repository: RepositoryId,
) -> Result<(), StoreError> {
    on_table!(table, |t| forget_ended!(connection, repository.as_uuid()));
    Ok(())
}
