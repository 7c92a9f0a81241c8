//! Joins the bus to the store: neither knows the other.

use std::sync::Arc;

use async_trait::async_trait;
use caffeine_bus::{Failure, Inbox, InboxError, Prior, Rejection};
use caffeine_model::{Generation, RunId, WorkId, WorkspaceId};
use caffeine_store::{InboxTable, Store, StoreError};

struct StoreInbox {
    store: Store,
    table: InboxTable,
}

/// The inbox of a service, for its workers.
#[must_use]
pub fn store_inbox(store: Store, table: InboxTable) -> Arc<dyn Inbox> {
    Arc::new(StoreInbox { store, table })
}

#[async_trait]
impl Inbox for StoreInbox {
    async fn prior(&self, work: WorkId) -> Result<Prior, InboxError> {
        let entry = self.store.inbox_entry(self.table, work).await.map_err(inbox_error)?;
        let detail = entry.detail.unwrap_or_default();
        let rejected = (entry.outcome.as_deref() == Some("rejected")).then(|| {
            let (code, reason) = detail.split_once(": ").unwrap_or(("rejected", detail.as_str()));
            Rejection { code: code.to_owned(), reason: reason.to_owned() }
        });
        let crashes = entry.open_deliveries.unwrap_or(1);
        let done = entry.outcome.as_deref() == Some("done");
        Ok(Prior { attempts: entry.attempts, crashes, done, rejected, retried: entry.retried })
    }

    async fn count_attempt(
        &self,
        work: WorkId,
        workspace: WorkspaceId,
        run: RunId,
        reason: &str,
    ) -> Result<u32, InboxError> {
        self.store.inbox_count_attempt(self.table, work, workspace, run, reason).await.map_err(inbox_error)
    }

    async fn delivery_started(&self, work: WorkId, workspace: WorkspaceId, run: RunId) -> Result<(), InboxError> {
        self.store.inbox_delivery_started(self.table, work, workspace, run).await.map_err(inbox_error)
    }

    async fn delivery_ended(&self, work: WorkId, workspace: WorkspaceId, run: RunId) -> Result<(), InboxError> {
        self.store.inbox_delivery_ended(self.table, work, workspace, run).await.map_err(inbox_error)
    }

    async fn forget_rejection(&self, work: WorkId, generation: Generation) -> Result<(), InboxError> {
        self.store.inbox_forget_rejection(self.table, work, generation).await.map_err(inbox_error)
    }
}

fn inbox_error(error: StoreError) -> InboxError {
    match error {
        StoreError::ReferenceGone(_) => InboxError::Gone,
        other => InboxError::Unavailable(Box::new(other)),
    }
}

/// What a failed statement means for the message being handled: an outage or a conflict burns no attempt, a missing
/// parent row means that run or repository are gone, anything else counts.
#[must_use]
pub fn store_failure(error: StoreError) -> Failure {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    match error {
        StoreError::Unavailable(_) | StoreError::Conflict(_) => {
            tracing::warn!(reason, "database is busy or away");
            Failure::HandBack { after: std::time::Duration::from_secs(1) }
        }
        StoreError::ReferenceGone(_) => {
            tracing::warn!(reason, "run or repository are gone");
            Failure::Cancelled
        }
        _ => Failure::retry(reason),
    }
}
