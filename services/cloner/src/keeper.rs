//! Keeps the mirrors of this pod to what the database knows: at the start, and whenever a repository is deleted.

use std::time::Duration;

use caffeine_bus::{Bus, BusError};
use caffeine_store::Store;
use tokio_util::sync::CancellationToken;

use crate::fetcher::Fetcher;

/// Commands that come together are one: at the start all of the last week.
const TOGETHER: Duration = Duration::from_millis(200);
/// A mirror that a job used, or a database that was away, is looked at again.
const RETRY: Duration = Duration::from_secs(2);

/// Removes mirrors that nobody needs any more.
pub(crate) struct Keeper {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) fetcher: Fetcher,
}

impl Keeper {
    /// Works until `shutdown`.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the stream of commands has not been provisioned.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<(), BusError> {
        let mut deletions = self.bus.deletions().await?;
        loop {
            let done = self.reconcile().await;
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = deletions.next() => while tokio::time::timeout(TOGETHER, deletions.next()).await.is_ok() {},
                () = tokio::time::sleep(RETRY), if !done => {}
            }
        }
    }

    /// Whether nothing is left to do. A repository that shares its address with another one keeps its mirror; one that
    /// is added meanwhile may lose it, which costs a fetch.
    async fn reconcile(&self) -> bool {
        let addresses = match self.store.kept_addresses().await {
            Ok(addresses) => addresses,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the addresses of mirrors cannot be listed");
                return false;
            }
        };
        match self.fetcher.keep_only(addresses).await {
            Ok(in_use) => in_use == 0,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "mirrors cannot be removed");
                false
            }
        }
    }
}
