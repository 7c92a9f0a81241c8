//! The service: builds what it needs, listens, and runs its tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use caffeine_bus::{NoInbox, Worker};
use caffeine_contract::Consumer;
use caffeine_embedding::{Embedder, StaticTable};
use caffeine_kit::{Clients, Service};
use caffeine_sealed::PublicKey;
use futures::FutureExt as _;
use poem::Server;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{self, App};
use crate::bootstrap::{AdminToken, ensure_admin_token};
use crate::canceller::Canceller;
use crate::config::GatewayConfig;
use crate::connections::Connections;
use crate::domain::template::BUILT_IN;
use crate::domain::webhook::WebhookKey;
use crate::handler::Projector;
use crate::identity::{Identity, IdentitySettings};
use crate::live::Live;
use crate::relay::Relay;
use crate::remover::Remover;
use crate::streams::Streams;

/// How long running requests may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// A gateway that has its port and is ready to run.
pub struct GatewayService {
    config: GatewayConfig,
    clients: Clients,
    embedder: Arc<dyn Embedder>,
    credential_key: Option<PublicKey>,
    webhook_key: Option<Arc<WebhookKey>>,
    identity: IdentitySettings,
    listener: TcpListener,
    address: SocketAddr,
    first_token: Option<AdminToken>,
}

impl GatewayService {
    /// Makes sure of an administrator and the built-in templates, and binds the port: after this the address is known
    /// and connections queue up until [`Service::run`].
    ///
    /// # Errors
    /// If the port is taken, the database refuses, or a setting is wrong.
    pub async fn from_parts(
        config: GatewayConfig,
        clients: Clients,
        embedder: Arc<dyn Embedder>,
    ) -> anyhow::Result<Self> {
        if embedder.model() != config.embedding_model {
            anyhow::bail!(
                "`gateway.embedding_model` is `{}`, but this program embeds questions with `{}`",
                config.embedding_model,
                embedder.model()
            );
        }
        let credential_key = config.credential_key()?;
        let webhook_key = config.webhook_key()?.map(Arc::new);
        let identity = IdentitySettings::new(&config)?;
        let first_token = ensure_admin_token(&clients.store, config.admin_token.as_ref()).await?;
        clients.store.seed_templates(BUILT_IN).await.context("store the built-in templates")?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("listen on {}: set `gateway.listen`", config.listen))?;
        let address = listener.local_addr().context("read the bound address")?;
        Ok(Self { config, clients, embedder, credential_key, webhook_key, identity, listener, address, first_token })
    }

    /// The address that was bound; with port 0 in the settings, the port that was free.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The administrator's token, if this start has made it. Show it once: only its hash is stored.
    #[must_use]
    pub fn first_token(&self) -> Option<&AdminToken> {
        self.first_token.as_ref()
    }
}

#[async_trait]
impl Service for GatewayService {
    const NAME: caffeine_contract::Service = caffeine_contract::Service::Gateway;
    type Config = GatewayConfig;

    async fn from_config(config: GatewayConfig, clients: Clients) -> anyhow::Result<Self> {
        let embedder = tokio::task::spawn_blocking(StaticTable::load).await.context("load the embedding table")??;
        let gateway = Self::from_parts(config, clients, Arc::new(embedder)).await?;
        if let Some(AdminToken(token)) = gateway.first_token() {
            // To the terminal and not to the log: logs are kept.
            println!("Administrator's token, shown this once: {}", token.expose_secret());
        }
        Ok(gateway)
    }

    async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Clients { bus, store } = self.clients;
        let versions = self.config.versions();
        let bell = Arc::new(Notify::new());
        let deletions = Arc::new(Notify::new());
        let canceller =
            Canceller { bus: bus.clone(), store: store.clone(), versions: versions.clone(), bell: Arc::clone(&bell) };
        let (live, streams) = (Live::new(), Streams::new(self.config.event_streams));
        let life = self.identity.life;
        // Ends the other tasks if one of them fails.
        let stop = shutdown.child_token();

        let app = App {
            bus: bus.clone(),
            store: store.clone(),
            identity: Arc::new(
                Identity::new(self.identity, store.clone()).context("prepare TLS for the identity provider")?,
            ),
            embedder: self.embedder,
            versions: versions.clone(),
            credential_key: self.credential_key,
            webhook_key: self.webhook_key,
            bell: Arc::clone(&bell),
            canceller: canceller.clone(),
            deletions: Arc::clone(&deletions),
            live: live.clone(),
            streams: streams.clone(),
            stop: stop.clone(),
        };
        let projector = Projector { bus: bus.clone(), store: store.clone(), versions, bell: Arc::clone(&bell) };
        let relay = Relay { bus: bus.clone(), store: store.clone(), bell };
        let remover = Remover { store: store.clone(), canceller, deletions };
        let worker = Worker::new(bus.clone(), Consumer::Projector, Arc::new(NoInbox)).handle(Arc::new(projector));
        let patience = Duration::from_secs(u64::from(self.config.stalled_seconds));
        let acceptor = Connections::new(self.listener, patience).context("use the bound port")?;
        let endpoint = api::endpoint(app);

        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let server = Server::new_with_acceptor(acceptor).name("gateway");
        let served = server.run_with_graceful_shutdown(endpoint, stop.clone().cancelled_owned(), Some(DRAIN));
        tasks.spawn(served.map(|ended| ended.context("serve HTTP")));
        tasks.spawn(worker.run(stop.clone()).map(|ended| ended.context("read transitions")));
        tasks.spawn(relay.run(stop.clone()).map(Ok));
        tasks.spawn(remover.run(stop.clone()).map(Ok));
        tasks.spawn(streams.run(store.clone(), life, stop.clone()).map(Ok));
        tasks.spawn(live.run(bus, store, stop.clone()).map(Ok));

        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            stop.cancel();
            let result = ended.context("a task of the gateway panicked").and_then(|result| result);
            if outcome.is_ok() {
                outcome = result;
            }
        }
        outcome
    }
}
