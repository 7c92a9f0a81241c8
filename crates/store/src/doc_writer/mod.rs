//! The doc-writer's tables: what documents wait for, the documents, their pages, and the ledger of model calls.
//!
//! Everything a page is written from is read here as well: the rows of one run's snapshot, in a fixed order, so that
//! the same rows always give the same bytes.

mod documents;
mod facts;
mod ledger;
mod pages;
mod symbols;

use caffeine_model::{RunId, WorkId, WorkspaceId};

pub use documents::{DocumentRow, Half, NewDocument, NewPage, PageRow, Readiness, RunReadiness};
pub use facts::{FileRow, ModuleEdgeRow, ModulePackageRow, ModuleRow, RunRow, SymbolCountRow};
pub use ledger::{CallEnd, CallLease, CallTurn, NewCall};
pub use pages::{CitationRow, PageOutcome};
pub use symbols::{API_KINDS, SymbolRow};

/// A piece of work whose outcome is recorded with its effects.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// The key of the inbox.
    pub id: WorkId,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The run it belongs to.
    pub run: RunId,
}

/// How the outcome of a piece of work is recorded.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'text> {
    /// Its effects are stored.
    Done,
    /// It was rejected: `<code>: <sentence>`.
    Rejected(&'text str),
}

/// Records an outcome in the doc-writer's inbox.
async fn settle(
    connection: &mut sqlx::PgConnection,
    work: Work,
    outcome: Outcome<'_>,
) -> Result<(), crate::StoreError> {
    let table = crate::InboxTable::Document;
    match outcome {
        Outcome::Done => crate::inbox::done(connection, table, work.id, work.workspace, work.run).await,
        Outcome::Rejected(detail) => {
            crate::inbox::rejected(connection, table, work.id, work.workspace, work.run, detail).await
        }
    }
}

/// A count from the database, which is never negative there.
fn count(value: Option<i64>) -> u32 {
    u32::try_from(value.unwrap_or_default().max(0)).unwrap_or(u32::MAX)
}
