//! The service: its parts and its life.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use caffeine_bus::Worker;
use caffeine_contract::{Consumer, Service as Name, v1};
use caffeine_kit::{Clients, Service, collect, store_inbox};
use caffeine_store::InboxTable;
use tokio_util::sync::CancellationToken;

use crate::fetcher::Fetcher;
use crate::handlers::{CloneHandler, ProbeHandler};
use crate::keeper::Keeper;
use crate::metrics::Metrics;
use crate::{ClonerConfig, Vault};

/// The cloner.
pub struct ClonerService {
    clients: Clients,
    fetcher: Fetcher,
    vault: Vault,
}

#[async_trait]
impl Service for ClonerService {
    const NAME: Name = Name::Cloner;

    type Config = ClonerConfig;

    async fn from_config(config: ClonerConfig, clients: Clients) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("make the folder {} of `data_dir`", config.data_dir.display()))?;
        let vault = Vault::new(clients.store.clone(), config.credential_key.as_ref()).context("`credential_key`")?;
        let fetcher = Fetcher::new(config).map_err(|problem| anyhow::anyhow!("`allow_hosts`: {problem}"))?;
        fetcher.clean().context("remove the keys that a killed process left in `data_dir`")?;
        Ok(Self::from_parts(clients, fetcher, vault))
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let keeper =
            Keeper { store: self.clients.store.clone(), bus: self.clients.bus.clone(), fetcher: self.fetcher.clone() };
        let clone = CloneHandler {
            store: self.clients.store.clone(),
            fetcher: self.fetcher.clone(),
            vault: self.vault.clone(),
            metrics: Metrics::new(),
        };
        let probe = ProbeHandler { bus: self.clients.bus.clone(), fetcher: self.fetcher, vault: self.vault };
        let collecting = collect(self.clients.clone(), shutdown.clone(), |store, repository| async move {
            store.collect_snapshots(repository).await
        });
        let inbox = store_inbox(self.clients.store, InboxTable::Clone);
        let worker = Worker::new(self.clients.bus, Consumer::Cloner, inbox)
            .handle::<v1::CloneRequested, _>(Arc::new(clone))
            .handle::<v1::CloneProbe, _>(Arc::new(probe));
        tokio::try_join!(worker.run(shutdown.clone()), keeper.run(shutdown), collecting)?;
        Ok(())
    }
}

impl ClonerService {
    /// A service from its parts.
    #[must_use]
    pub fn from_parts(clients: Clients, fetcher: Fetcher, vault: Vault) -> Self {
        Self { clients, fetcher, vault }
    }
}
