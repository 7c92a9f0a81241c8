//! The chunker as a service.

use std::sync::Arc;

use async_trait::async_trait;
use caffeine_analysis::ANALYSER_VERSION;
use caffeine_bus::Worker;
use caffeine_contract::{Consumer, v1};
use caffeine_kit::{Clients, Service, collect, store_inbox};
use caffeine_store::InboxTable;
use tokio_util::sync::CancellationToken;

use crate::config::ChunkerConfig;
use crate::handlers::Chunker;

/// Reads batches and lists on FILES and requests to link on LINK.
pub struct ChunkerService {
    clients: Clients,
    chunker: Arc<Chunker>,
}

impl ChunkerService {
    /// The service with its parts.
    #[must_use]
    pub fn from_parts(clients: Clients, chunker: Chunker) -> Self {
        Self { clients, chunker: Arc::new(chunker) }
    }
}

#[async_trait]
impl Service for ChunkerService {
    const NAME: caffeine_contract::Service = caffeine_contract::Service::Chunker;

    type Config = ChunkerConfig;

    async fn from_config(config: Self::Config, clients: Clients) -> anyhow::Result<Self> {
        let chunker = Chunker::new(clients.store.clone(), &config, caffeine_analysis::analyse);
        Ok(Self::from_parts(clients, chunker))
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let collecting = collect(self.clients.clone(), shutdown.clone(), |store, repository| async move {
            store.collect_analysis(repository).await
        });
        let inbox = store_inbox(self.clients.store, InboxTable::Chunk);
        let chunker = Worker::new(self.clients.bus.clone(), Consumer::Chunker, Arc::clone(&inbox))
            .for_analyser(ANALYSER_VERSION)
            .handle::<v1::FilesBatch, _>(Arc::clone(&self.chunker))
            .handle::<v1::FilesListed, _>(Arc::clone(&self.chunker));
        let linker = Worker::new(self.clients.bus, Consumer::Linker, inbox)
            .for_analyser(ANALYSER_VERSION)
            .handle::<v1::LinkRequested, _>(self.chunker);
        tokio::try_join!(chunker.run(shutdown.clone()), linker.run(shutdown), collecting)?;
        Ok(())
    }
}
