//! Removes a service's own garbage when the housekeeper asks for it.

use caffeine_bus::BusError;
use caffeine_model::RepositoryId;
use caffeine_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::Clients;

/// Listens until `shutdown` and calls `remove` for each repository. Every pod of a service hears it; they wait for each
/// other in the database, and the later ones find nothing left. What fails is asked for again with the next round.
///
/// # Errors
/// [`BusError::Missing`] if the stream of commands has not been provisioned.
pub async fn collect<F>(
    clients: Clients,
    shutdown: CancellationToken,
    remove: impl Fn(Store, RepositoryId) -> F,
) -> Result<(), BusError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut wanted = clients.bus.collections().await?;
    while let Some(repository) = shutdown.run_until_cancelled(wanted.next()).await {
        match remove(clients.store.clone(), repository).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(repository_id = %repository, removed, "garbage collected"),
            Err(error) => {
                tracing::warn!(repository_id = %repository, error = &error as &dyn std::error::Error, "cannot collect");
            }
        }
    }
    Ok(())
}
