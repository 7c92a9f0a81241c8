//! What makes a program a service of the system.

use async_trait::async_trait;
use caffeine_bus::Bus;
use caffeine_store::Store;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

/// The connections that every service has.
#[derive(Clone)]
pub struct Clients {
    /// The broker.
    pub bus: Bus,
    /// The database.
    pub store: Store,
}

/// A service: its own binary runs one, the all-in-one binary runs several in one process.
#[async_trait]
pub trait Service: Sized + Send + 'static {
    /// Which one; its name is also that of its section in the configuration.
    const NAME: caffeine_contract::Service;

    /// Its section of the configuration; unknown keys are refused.
    type Config: DeserializeOwned + Default + Clone + Send + Sync;

    /// Builds what the service needs from its configuration, then calls `from_parts` (where tests enter).
    ///
    /// # Errors
    /// A sentence that says which setting is missing or wrong.
    async fn from_config(config: Self::Config, clients: Clients) -> anyhow::Result<Self>;

    /// Works until `shutdown`, then finishes what is running.
    ///
    /// # Errors
    /// If the service cannot go on, for instance because its consumers are not provisioned.
    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()>;
}
