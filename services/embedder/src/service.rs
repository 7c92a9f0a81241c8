//! The embedder as a service.

use std::sync::Arc;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use caffeine_analysis::ANALYSER_VERSION;
use caffeine_bus::Worker;
use caffeine_contract::{Consumer, v1};
use caffeine_embedding::{Embedder, StaticTable};
use caffeine_kit::{Clients, Service, collect, store_inbox};
use caffeine_store::InboxTable;
use tokio_util::sync::CancellationToken;

use crate::config::EmbedderConfig;
use crate::handlers::Indexer;

/// Reads batches and lists on CHUNKS.
pub struct EmbedderService {
    clients: Clients,
    indexer: Arc<Indexer>,
}

impl EmbedderService {
    /// The service with its parts.
    ///
    /// # Errors
    /// If the model's vectors do not fit the schema.
    pub async fn from_parts(
        config: &EmbedderConfig,
        clients: Clients,
        embedder: Arc<dyn Embedder>,
    ) -> anyhow::Result<Self> {
        let stored = clients.store.embedding_dimensions().await.context("ask how long stored vectors are")?;
        ensure!(
            stored == embedder.dimensions(),
            "the model `{}` makes vectors of {} numbers, the database stores {stored}",
            embedder.model(),
            embedder.dimensions()
        );
        let indexer = Indexer::new(clients.store.clone(), config, embedder);
        Ok(Self { clients, indexer: Arc::new(indexer) })
    }
}

#[async_trait]
impl Service for EmbedderService {
    const NAME: caffeine_contract::Service = caffeine_contract::Service::Embedder;

    type Config = EmbedderConfig;

    async fn from_config(config: Self::Config, clients: Clients) -> anyhow::Result<Self> {
        let table = StaticTable::load().context("load the embedding table")?;
        Self::from_parts(&config, clients, Arc::new(table)).await
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let collecting = collect(self.clients.clone(), shutdown.clone(), |store, repository| async move {
            store.collect_index(repository).await
        });
        let inbox = store_inbox(self.clients.store, InboxTable::Embed);
        let worker = Worker::new(self.clients.bus, Consumer::Embedder, inbox)
            // The model decides the vectors, the analyser what stands around a chunk.
            .for_embedding_model(self.indexer.model())
            .for_analyser(ANALYSER_VERSION)
            .handle::<v1::ChunksBatch, _>(Arc::clone(&self.indexer))
            .handle::<v1::ChunksListed, _>(self.indexer);
        tokio::try_join!(worker.run(shutdown), collecting)?;
        Ok(())
    }
}
