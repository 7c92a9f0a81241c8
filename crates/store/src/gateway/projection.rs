//! The projector's transaction: a fact about a run becomes an event, a state and, at the end, the start of the next
//! run.

use std::time::Duration;

use caffeine_model::{DocumentId, DocumentState, Generation, Oid, RepositoryId, RunId, RunState, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::OutboxBody;
use super::audit::{self, Actor, Entry};
use super::outbox;
use super::run_create;
use super::run_start::{self, Announce};
use super::runs::Versions;
use crate::{Store, StoreError};

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureText {
    /// A stable word.
    pub code: String,
    /// One sentence for a person.
    pub reason: String,
}

/// What a fact changes besides being an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The run has come this far.
    Reached(RunState),
    /// The commit is pinned; the run is being cloned.
    Planned {
        /// The commit.
        commit: Oid,
    },
    /// The pages of a document are known.
    DocumentPlanned {
        /// Which document.
        document: DocumentId,
        /// How many pages.
        pages: u32,
    },
    /// A document has ended.
    DocumentCompleted {
        /// Which document.
        document: DocumentId,
        /// How many pages it has.
        pages: u32,
        /// How many of them could not be written.
        failed_pages: u32,
        /// Set if no page could be written.
        failure: Option<FailureText>,
    },
    /// The run has ended without a usable result.
    Failed(FailureText),
    /// A person has ended the run.
    Cancelled {
        /// Tells the stages.
        command: OutboxBody,
    },
    /// A newer request has taken the place of the run, which was still queued.
    Superseded,
    /// Nobody works with the versions that the run is fixed to any more. It makes room for one that is fixed to those
    /// that runs begin with now, or fails if these are the same.
    VersionGone {
        /// Tells the stages.
        command: OutboxBody,
        /// Why, for a run that fails.
        failure: FailureText,
    },
    /// The messages that began the run are to be published again.
    AskedAgain {
        /// In this generation.
        generation: Generation,
        /// A run that has ended is followed by a new one that writes the same documents.
        follow_ended: bool,
    },
    /// Nothing.
    Noted,
}

/// A fact about a run.
#[derive(Debug, Clone)]
pub struct Fact {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The run.
    pub run: RunId,
    /// Names the fact, once per run.
    pub transition: String,
    /// When, by the clock of the stage.
    pub occurred_at: DateTime<Utc>,
    /// What readers see.
    pub payload: Value,
    /// What it changes.
    pub change: Change,
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// There is no such run any more.
    Gone,
    /// It was known already, or the run has ended and it is not wanted any more; the run's events end at this sequence.
    Known(u64),
    /// It is an event now.
    Stored {
        /// Its place in the run.
        sequence: u64,
        /// The run's state now.
        state: RunState,
        /// The state before.
        before: RunState,
        /// The run whose messages have been written to the outbox by this: the queued or following one, because this
        /// one has ended, or this one, because it is asked again.
        announced: Option<RunId>,
        /// How old the run is: from the request to this fact.
        age: Duration,
    },
}

/// A run under its lock.
struct Locked {
    repository: RepositoryId,
    reference: String,
    state: RunState,
    sequence: i64,
    versions: Versions,
}

impl Store {
    /// Applies a fact to its run, once, however often and in whatever order facts arrive.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn apply_fact(
        &self,
        fact: &Fact,
        versions: &Versions,
        announce: &(dyn Fn(&run_start::RunStart) -> Vec<OutboxBody> + Send + Sync),
    ) -> Result<Applied, StoreError> {
        let mut tx = self.pool.begin().await?;
        let mut applied = apply(&mut tx, fact, versions, announce).await?;
        if let Applied::Stored { before, state, announced, .. } = &mut applied
            && is_followed(&fact.change, *before, *state)
            && announced.is_none()
        {
            *announced = run_create::follow(&mut tx, fact, versions, announce).await?;
        }
        tx.commit().await?;
        Ok(applied)
    }

    /// Applies the fact that somebody has cancelled a run, and records who.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn cancel_run(
        &self,
        by: &Actor,
        fact: &Fact,
        versions: &Versions,
        announce: &(dyn Fn(&run_start::RunStart) -> Vec<OutboxBody> + Send + Sync),
    ) -> Result<Applied, StoreError> {
        let mut tx = self.pool.begin().await?;
        let applied = apply(&mut tx, fact, versions, announce).await?;
        if matches!(applied, Applied::Stored { .. }) {
            let entry = Entry {
                action: "run.cancelled",
                object_kind: "run",
                object_id: fact.run.to_string(),
                detail: json!({}),
            };
            audit::append(&mut tx, by, entry).await?;
        }
        tx.commit().await?;
        Ok(applied)
    }
}

/// Applies a fact inside a transaction. Who holds the repository's lock may apply facts about a queued run only: the
/// end of any other run takes that lock after the run's own.
pub(super) async fn apply(
    tx: &mut PgConnection,
    fact: &Fact,
    versions: &Versions,
    announce: Announce<'_>,
) -> Result<Applied, StoreError> {
    let Some(locked) = lock(tx, fact).await? else {
        return Ok(Applied::Gone);
    };
    if !is_wanted(&fact.change, locked.state) {
        return Ok(Applied::Known(locked.sequence.unsigned_abs()));
    }
    let sequence = locked.sequence + 1;
    if !insert_event(tx, fact, sequence).await? {
        return Ok(Applied::Known(locked.sequence.unsigned_abs()));
    }
    change_document(tx, fact).await?;
    let reached = locked.state.advance(reached(&fact.change, locked.versions == *versions));
    let state = if reached.is_terminal() { reached } else { ended(tx, fact.run, reached).await? };
    let (commit, failure) = match &fact.change {
        Change::Planned { commit } => (Some(commit), None),
        // A failure that arrives after the end explains nothing.
        Change::Failed(failure) if !locked.state.is_terminal() => (None, Some(failure)),
        Change::VersionGone { failure, .. } => (None, Some(failure)),
        _ => (None, None),
    };
    let age = sqlx::query_scalar!(
        r#"UPDATE runs SET state = $2, last_sequence = $3, commit_oid = coalesce(commit_oid, $4),
                  failure_code = coalesce(failure_code, $5), failure_reason = coalesce(failure_reason, $6),
                  ended_at = CASE WHEN $7 THEN coalesce(ended_at, now()) END, progressed_at = now()
              WHERE run_id = $1 RETURNING extract(epoch FROM now() - created_at)::float8 AS "age!""#,
        fact.run.as_uuid(),
        state.as_str(),
        sequence,
        commit.map(|oid| &oid.as_bytes()[..]),
        failure.map(|failure| failure.code.as_str()),
        failure.map(|failure| failure.reason.as_str()),
        state.is_terminal()
    )
    .fetch_one(&mut *tx)
    .await?;
    if state.is_withdrawn() || matches!(fact.change, Change::VersionGone { .. }) {
        withdraw(tx, fact, &locked).await?;
    }
    let ends_now = state.is_terminal() && !locked.state.is_terminal();
    // A run that ends while it is queued leaves no place free.
    let frees = ends_now && locked.state != RunState::Queued;
    let announced = match fact.change {
        _ if frees => start_queued(tx, &locked, versions, announce).await?,
        Change::AskedAgain { generation, .. } if !state.is_terminal() => {
            run_start::ask(tx, fact.run, generation, announce).await?;
            Some(fact.run)
        }
        _ => None,
    };
    let age = Duration::try_from_secs_f64(age).unwrap_or_default();
    Ok(Applied::Stored { sequence: sequence.unsigned_abs(), state, before: locked.state, announced, age })
}

/// Nothing is added to a run that somebody has ended, and what has ended by itself cannot be cancelled any more.
fn is_wanted(change: &Change, state: RunState) -> bool {
    match change {
        Change::Cancelled { .. } | Change::VersionGone { .. } => !state.is_terminal(),
        Change::Superseded => state == RunState::Queued,
        _ => !state.is_withdrawn(),
    }
}

/// Whether a fact about a run asks for another one that does the same.
fn is_followed(change: &Change, before: RunState, state: RunState) -> bool {
    match change {
        Change::AskedAgain { follow_ended, .. } => *follow_ended && before.is_terminal(),
        Change::VersionGone { .. } => state == RunState::Superseded,
        _ => false,
    }
}

/// Ends what belongs to a run that nobody wants any more: its documents, its messages that have not gone out, and, by
/// command, the work of its stages. A queued run has no work.
async fn withdraw(connection: &mut PgConnection, fact: &Fact, before: &Locked) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE run_documents SET state = $2 WHERE run_id = $1 AND state IN ('requested', 'writing')",
        fact.run.as_uuid(),
        DocumentState::Cancelled.as_str()
    )
    .execute(&mut *connection)
    .await?;
    outbox::withdraw(connection, fact.run).await?;
    if let Change::Cancelled { command } | Change::VersionGone { command, .. } = &fact.change
        && before.state != RunState::Queued
    {
        outbox::insert(connection, fact.workspace, fact.run, std::slice::from_ref(command)).await?;
    }
    Ok(())
}

/// The state that a change speaks of, in a run whose versions are those that runs begin with now, or not.
fn reached(change: &Change, versions_are_current: bool) -> RunState {
    match change {
        Change::Reached(state) => *state,
        Change::Planned { .. } => RunState::Cloning,
        Change::Failed(_) => RunState::Failed,
        Change::Cancelled { .. } => RunState::Cancelled,
        Change::VersionGone { .. } if versions_are_current => RunState::Failed,
        Change::Superseded | Change::VersionGone { .. } => RunState::Superseded,
        // The lowest state: no move.
        Change::DocumentPlanned { .. }
        | Change::DocumentCompleted { .. }
        | Change::AskedAgain { .. }
        | Change::Noted => RunState::Queued,
    }
}

async fn lock(connection: &mut PgConnection, fact: &Fact) -> Result<Option<Locked>, StoreError> {
    let row = sqlx::query!(
        "SELECT repository_id, ref AS reference, state, last_sequence, analyser, embedding_model FROM runs \
         WHERE workspace_id = $1 AND run_id = $2 FOR NO KEY UPDATE",
        fact.workspace.as_uuid(),
        fact.run.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Locked {
            repository: RepositoryId::from_uuid(row.repository_id),
            reference: row.reference,
            state: row.state.parse().map_err(|error| StoreError::corrupt("runs.state", error))?,
            sequence: row.last_sequence,
            versions: Versions { analyser: row.analyser, embedding_model: row.embedding_model },
        })
    })
    .transpose()
}

/// Whether the fact is new.
async fn insert_event(connection: &mut PgConnection, fact: &Fact, sequence: i64) -> Result<bool, StoreError> {
    let inserted = sqlx::query!(
        "INSERT INTO run_events (run_id, sequence, workspace_id, transition, occurred_at, payload) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run_id, transition) DO NOTHING",
        fact.run.as_uuid(),
        sequence,
        fact.workspace.as_uuid(),
        fact.transition,
        fact.occurred_at,
        fact.payload
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Moves a document forward; one that has ended stays as it is, and a plan that comes late only adds its pages.
async fn change_document(connection: &mut PgConnection, fact: &Fact) -> Result<(), StoreError> {
    match &fact.change {
        Change::DocumentPlanned { document, pages } => {
            sqlx::query!(
                "UPDATE run_documents SET pages = coalesce(pages, $3), \
                     state = CASE state WHEN 'requested' THEN 'writing' ELSE state END \
                 WHERE run_id = $1 AND document_id = $2",
                fact.run.as_uuid(),
                document.as_uuid(),
                count(*pages)
            )
            .execute(connection)
            .await?;
        }
        Change::DocumentCompleted { document, pages, failed_pages, failure } => {
            let state = match (failure, failed_pages) {
                (Some(_), _) => DocumentState::Failed,
                (None, 0) => DocumentState::Completed,
                (None, _) => DocumentState::CompletedWithErrors,
            };
            sqlx::query!(
                "UPDATE run_documents SET state = $3, pages = $4, failed_pages = $5, failure_reason = $6 \
                 WHERE run_id = $1 AND document_id = $2 AND state IN ('requested', 'writing')",
                fact.run.as_uuid(),
                document.as_uuid(),
                state.as_str(),
                count(*pages),
                count(*failed_pages),
                failure.as_ref().map(|failure| failure.reason.as_str())
            )
            .execute(connection)
            .await?;
        }
        _ => {}
    }
    Ok(())
}

fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Asks the rows whether everything is there. A later statement than the lock, so it sees what the last holder wrote.
///
/// Facts of different stages overtake each other (the last batches can be indexed before the cloner has said that it
/// sent them), so the end waits for every fact of a good run: after it, readers miss nothing.
async fn ended(connection: &mut PgConnection, run: RunId, state: RunState) -> Result<RunState, StoreError> {
    let row = sqlx::query!(
        r#"SELECT
               (SELECT count(*) FROM run_events WHERE run_id = $1
                    AND transition IN ('clone_started', 'planned', 'cloned', 'analysed', 'indexed')) = 5
               AND NOT EXISTS (SELECT FROM run_documents WHERE run_id = $1 AND state IN ('requested', 'writing'))
               -- A document that failed may never have been planned.
               AND NOT EXISTS (
                   SELECT FROM run_documents d
                   WHERE d.run_id = $1 AND d.state IN ('completed', 'completed_with_errors')
                     AND NOT EXISTS (SELECT FROM run_events e WHERE e.run_id = $1
                                     AND e.transition = 'document_planned/' || d.document_id::text))
                   AS "complete!",
               EXISTS (SELECT FROM run_events
                       WHERE run_id = $1 AND transition IN ('analysed', 'indexed')
                         AND (payload ->> 'failed_batches')::bigint > 0)
               OR EXISTS (SELECT FROM run_documents WHERE run_id = $1 AND state <> 'completed')
                   AS "errors!""#,
        run.as_uuid()
    )
    .fetch_one(connection)
    .await?;
    Ok(match (row.complete, row.errors) {
        (false, _) => state,
        (true, false) => RunState::Completed,
        (true, true) => RunState::CompletedWithErrors,
    })
}

/// Starts the run that waits for the end of this one.
async fn start_queued(
    connection: &mut PgConnection,
    ended: &Locked,
    versions: &Versions,
    announce: Announce<'_>,
) -> Result<Option<RunId>, StoreError> {
    // Whoever queues a run holds this lock from its look at the working run to its commit.
    let kept = sqlx::query!(
        "SELECT 1 AS one FROM repositories WHERE repository_id = $1 AND deleting_at IS NULL FOR NO KEY UPDATE",
        ended.repository.as_uuid()
    )
    .fetch_optional(&mut *connection)
    .await?;
    if kept.is_none() {
        return Ok(None);
    }
    let queued = sqlx::query_scalar!(
        "SELECT run_id FROM runs WHERE repository_id = $1 AND ref = $2 AND state = 'queued' FOR NO KEY UPDATE",
        ended.repository.as_uuid(),
        ended.reference
    )
    .fetch_optional(&mut *connection)
    .await?
    .map(RunId::from_uuid);
    if let Some(run) = queued {
        run_start::start(connection, run, versions, announce).await?;
    }
    Ok(queued)
}
