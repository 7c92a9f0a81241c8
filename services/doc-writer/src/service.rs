//! Builds the doc-writer and runs its two consumers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use caffeine_bus::{Bus, Worker};
use caffeine_contract::{Consumer, v1};
use caffeine_embedding::{Embedder, StaticTable};
use caffeine_kit::{Clients, Service, store_inbox};
use caffeine_llm::LlmClient;
use caffeine_llm::anthropic::{AnthropicClient, AnthropicConfig};
use caffeine_model::EMBEDDING_MODEL;
use caffeine_sendgate::{EgressPolicy, SendGate};
use caffeine_store::{InboxTable, Store};
use tokio_util::sync::CancellationToken;

use crate::config::DocWriterConfig;
use crate::handlers::{PageHandler, PlanHandler};
use crate::metrics::Metrics;
use crate::outputs::{Clock, system_clock};
use crate::planner::Planner;
use crate::prices::Prices;
use crate::writer::{ModelSettings, PageWriter};

/// Longest call of a model: below the time limit of a page's job.
const MODEL_DEADLINE: Duration = Duration::from_secs(9 * 60);

/// The service.
pub struct DocWriterService {
    bus: Bus,
    store: Store,
    planner: Planner,
    writer: PageWriter,
}

impl DocWriterService {
    /// The service from its parts; a test passes a gate with a model of its own.
    #[must_use]
    pub fn from_parts(
        clients: Clients,
        gate: SendGate,
        embedder: Arc<dyn Embedder>,
        settings: ModelSettings,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let Clients { bus, store } = clients;
        let planner = Planner::new(store.clone(), gate.clone(), Arc::clone(&clock));
        let writer = PageWriter::new(store.clone(), gate, embedder, settings, clock, metrics);
        Self { bus, store, planner, writer }
    }
}

#[async_trait]
impl Service for DocWriterService {
    const NAME: caffeine_contract::Service = caffeine_contract::Service::DocWriter;

    type Config = DocWriterConfig;

    async fn from_config(config: DocWriterConfig, clients: Clients) -> anyhow::Result<Self> {
        let policy = config.policy();
        let metrics = Metrics::new(Prices::parse(&config.prices).context("read `doc-writer.prices`")?);
        let client: Option<Arc<dyn LlmClient>> = match policy {
            EgressPolicy::None => None,
            EgressPolicy::Approved => {
                let mut settings = AnthropicConfig::new(config.anthropic_base_url, config.anthropic_api_key);
                settings.deadline = MODEL_DEADLINE;
                Some(Arc::new(AnthropicClient::new(settings).context("set up the model's client")?))
            }
        };
        let settings = ModelSettings {
            model: config.model,
            max_output_tokens: config.max_output_tokens,
            context_tokens: config.context_tokens,
            lease: clients.bus.spec(Consumer::Writer).ack_wait,
        };
        let embedder = Arc::new(StaticTable::load().context("load the embedding table")?);
        Ok(Self::from_parts(clients, SendGate::new(policy, client), embedder, settings, system_clock(), metrics))
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let inbox = store_inbox(self.store, InboxTable::Document);
        let plans = Arc::new(PlanHandler(self.planner));
        let planner = Worker::new(self.bus.clone(), Consumer::Planner, Arc::clone(&inbox))
            .for_embedding_model(EMBEDDING_MODEL)
            .handle::<v1::DocumentRequested, _>(Arc::clone(&plans))
            .handle::<v1::DocumentReady, _>(plans);
        let writer = Worker::new(self.bus, Consumer::Writer, inbox)
            .for_embedding_model(EMBEDDING_MODEL)
            .handle::<v1::PageRequested, _>(Arc::new(PageHandler(self.writer)));
        tokio::try_join!(planner.run(shutdown.clone()), writer.run(shutdown))?;
        Ok(())
    }
}
