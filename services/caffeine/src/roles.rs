//! Runs services as tasks of this process.

use caffeine_contract::Service as Name;
use caffeine_kit::{Configuration, Health, Service, connect, run_service};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::Role;
use crate::housekeeper::Housekeeper;

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 6] =
        [Self::Gateway, Self::Cloner, Self::Chunker, Self::Embedder, Self::DocWriter, Self::Housekeeper];
}

/// Running services. The first one that fails ends the others.
pub(crate) struct Roles {
    tasks: JoinSet<anyhow::Result<()>>,
    shutdown: CancellationToken,
    /// Cancelled when a service ends with an error.
    failed: CancellationToken,
}

impl Roles {
    /// Connects and starts each role; every one has connections of its own, named after it.
    ///
    /// # Errors
    /// If a role cannot connect; those that have been started are told to stop.
    pub(crate) async fn start(
        roles: &[Role],
        configuration: &Configuration,
        health: &Health,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut running = Self { tasks: JoinSet::new(), shutdown, failed: CancellationToken::new() };
        for role in roles {
            match role {
                Role::Gateway => running.add::<caffeine_gateway::GatewayService>(configuration, health).await?,
                Role::Cloner => running.add::<caffeine_cloner::ClonerService>(configuration, health).await?,
                Role::Chunker => running.add::<caffeine_chunker::ChunkerService>(configuration, health).await?,
                Role::Embedder => running.add::<caffeine_embedder::EmbedderService>(configuration, health).await?,
                Role::Housekeeper => running.add::<Housekeeper>(configuration, health).await?,
                Role::DocWriter => running.add::<caffeine_doc_writer::DocWriterService>(configuration, health).await?,
            }
        }
        Ok(running)
    }

    async fn add<S: Service>(&mut self, configuration: &Configuration, health: &Health) -> anyhow::Result<()> {
        let name: Name = S::NAME;
        let clients = connect(name, &configuration.settings_of(name)?).await?;
        health.add_clients(&clients);
        let starting = health.starting();
        let (configuration, shutdown, failed) = (configuration.clone(), self.shutdown.clone(), self.failed.clone());
        self.tasks.spawn(async move {
            let outcome = run_service::<S>(&configuration, clients.clone(), starting, shutdown.clone()).await;
            if let Err(error) = &outcome {
                tracing::error!(service = name.as_str(), error = format!("{error:#}"), "service failed");
                failed.cancel();
                shutdown.cancel();
            }
            clients.bus.drain().await;
            clients.store.close().await;
            outcome
        });
        Ok(())
    }

    /// Whether a service has ended, or all have been told to.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shutdown.is_cancelled() || self.failed.is_cancelled()
    }

    /// Waits until all services have ended, each after the shutdown was asked for or one failed.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn join(mut self) -> anyhow::Result<()> {
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let outcome =
                ended.unwrap_or_else(|panicked| Err(anyhow::Error::new(panicked).context("a service panicked")));
            if outcome.is_err() {
                self.shutdown.cancel();
            }
            if first.is_ok() {
                first = outcome;
            }
        }
        first
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
