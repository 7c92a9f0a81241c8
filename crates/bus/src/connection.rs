//! The connection to the broker.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use bytes::Bytes;
use caffeine_contract::{Consumer, ConsumerSpec, Subjects, Timings};
use tokio::sync::{RwLock, mpsc};
use tokio::time::Instant;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::cancel::CancelSet;
use crate::denial::Denials;
use crate::error::{BusError, PublishError};
use crate::events::start_emitter;
use crate::reconnect::{Announcer, Reconnects, reconnects};
use crate::{Nkey, Outgoing, headers, metrics, percent, redact_url};

/// How long [`Bus::connect`] waits for a broker that is not there yet.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// A link that swallows everything is noticed after three of these.
const fn ping_interval(timings: Timings) -> Duration {
    match timings {
        Timings::Production => Duration::from_secs(10),
        Timings::Test => Duration::from_secs(1),
    }
}

/// How long a publish waits for its acknowledgement. Silence does not mean "not stored".
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long acknowledgements and questions to the broker wait for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Publishes of one process that wait for their acknowledgement; 256 of the largest stay below the broker's ingest
/// buffer, together with those of other pods the broker says "too many" and the publisher tries again.
const MAX_UNACKNOWLEDGED: usize = 256;
/// How long running work may go on after a request to stop, unless [`Bus::with_grace`] says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(45);

/// How to reach the broker.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `nats://[user:password@]host:port`; several servers of one cluster are separated by commas.
    pub url: String,
    /// Isolates installations and tests; empty or one token.
    pub prefix: String,
    /// Shown in the broker's connection list, and the inbox that answers come to: the service's name.
    pub name: String,
    /// The user's key; goes before what the address says.
    pub nkey: Option<Nkey>,
}

/// A connection. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    pub(crate) subjects: Subjects,
    pub(crate) client: Client,
    /// For publishing.
    pub(crate) publisher: jetstream::Context,
    /// For consuming and asking.
    pub(crate) jetstream: jetstream::Context,
    pub(crate) name: Arc<str>,
    pub(crate) grace: Duration,
    pub(crate) timings: Timings,
    pub(crate) cancels: Arc<CancelSet>,
    /// Held for reading by every job that runs, for writing by one that must run alone.
    pub(crate) jobs: Arc<RwLock<()>>,
    pub(crate) emitter: mpsc::Sender<(String, Bytes)>,
    pub(crate) reconnects: Reconnects,
    pub(crate) denials: Denials,
}

impl Bus {
    /// Connects, and keeps trying for a while if the broker is not there yet.
    ///
    /// # Errors
    /// [`BusError::Connect`].
    pub async fn connect(config: &BusConfig) -> Result<Self, BusError> {
        Self::connect_timed(config, Timings::default()).await
    }

    /// Connects with a profile of times: the connection's own, and those of the consumers that are provisioned and read
    /// through it.
    ///
    /// # Errors
    /// [`BusError::Connect`].
    pub async fn connect_timed(config: &BusConfig, timings: Timings) -> Result<Self, BusError> {
        let shown = redact_url(&config.url);
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| BusError::Connect { url: shown.clone(), source };
        let (servers, credentials) = servers(&config.url).map_err(|error| failed(error.into()))?;

        let credentials = config.nkey.clone().map_or(credentials, Credentials::Nkey);

        let (announcer, reconnects) = reconnects();
        let denials = Denials::new();
        let deadline = Instant::now() + CONNECT_PATIENCE;
        let mut pause = Duration::from_millis(100);
        let client = loop {
            let error = match options(config, timings, &credentials, announcer.clone(), denials.clone())
                .connect(servers.clone())
                .await
            {
                Ok(client) => break client,
                Err(error) => error,
            };
            let refused =
                matches!(error.kind(), ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation);
            if refused || Instant::now() + pause > deadline {
                return Err(failed(error.into()));
            }
            tracing::info!(%error, server = shown, "the broker is not there yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        };
        tracing::debug!(server = shown, name = config.name, "connected");

        let publisher = ContextBuilder::new()
            .timeout(PUBLISH_TIMEOUT)
            .max_ack_inflight(MAX_UNACKNOWLEDGED)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        Ok(Self {
            subjects: Subjects::new(&config.prefix),
            publisher,
            jetstream,
            name: config.name.as_str().into(),
            grace: DEFAULT_GRACE,
            timings,
            cancels: Arc::default(),
            jobs: Arc::default(),
            emitter: start_emitter(client.clone()),
            reconnects,
            denials,
            client,
        })
    }

    /// Sets how long workers let running work go on after a request to stop, before they hand it back.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Sets how patient the consumers are that are provisioned and read through this connection.
    #[must_use]
    pub fn with_timings(self, timings: Timings) -> Self {
        Self { timings, ..self }
    }

    /// A consumer of the contract with the times that hold on this connection.
    #[must_use]
    pub fn spec(&self, consumer: Consumer) -> ConsumerSpec {
        consumer.spec().timed(self.timings)
    }

    /// Publishes once and awaits the acknowledgement, without waiting for room.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn try_publish(&self, outgoing: &Outgoing) -> Result<(), PublishError> {
        let subject = self.subjects.work(outgoing.kind, &outgoing.scope);
        let stream = outgoing.kind.spec().stream.spec().name;
        let headers = headers::of(outgoing, &tracing::Span::current().context());
        self.store(subject, stream, headers, outgoing.body.clone()).await
    }

    /// Publishes bytes into a stream and awaits the acknowledgement.
    pub(crate) async fn store(
        &self,
        subject: String,
        stream: &str,
        headers: async_nats::HeaderMap,
        body: Bytes,
    ) -> Result<(), PublishError> {
        let (bytes, started) = (body.len(), Instant::now());
        let sent = async {
            let acknowledgement = self.publisher.publish_with_headers(subject.clone(), headers, body).await?;
            acknowledgement.await
        };
        let answer = tokio::select! {
            answer = sent => answer,
            () = self.reconnects.next() => {
                let source = "the connection was lost before the acknowledgement came".into();
                return Err(PublishError::Unavailable { subject, source });
            }
        };
        match answer {
            Ok(_) => {
                metrics::get().sent(stream, started.elapsed());
                Ok(())
            }
            Err(error) => Err(PublishError::classify(error, subject, stream, bytes)),
        }
    }

    /// Whether the connection is up: for readiness.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Sends what is buffered and closes the connection.
    pub async fn drain(&self) {
        self.cancels.listener.cancel();
        // A broker that is gone cannot be flushed; whatever was not acknowledged will be delivered again.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.client.flush()).await;
        let _ = self.client.drain().await;
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("name", &self.name).field("subjects", &self.subjects).finish_non_exhaustive()
    }
}

/// Credentials of an address, decoded. Deliberately without `Debug`.
#[derive(Clone)]
enum Credentials {
    None,
    Token(String),
    User(String, String),
    Nkey(Nkey),
}

/// Splits the addresses from their credentials, which `async-nats` would ignore and might show.
fn servers(urls: &str) -> std::io::Result<(Vec<ServerAddr>, Credentials)> {
    let mut servers = Vec::new();
    let mut credentials = Credentials::None;
    for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        // The parser's own message may repeat the address, credentials included.
        let broken = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "not an address like nats://host:port");
        let mut address = url.parse::<ServerAddr>().map_err(|_| broken())?.into_inner();
        let user = percent::decode(address.username());
        match address.password() {
            Some(password) => credentials = Credentials::User(user, percent::decode(password)),
            None if !user.is_empty() => credentials = Credentials::Token(user),
            None => {}
        }
        address.set_username("").and_then(|()| address.set_password(None)).map_err(|()| broken())?;
        servers.push(ServerAddr::from_url(address)?);
    }
    if servers.is_empty() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "the address is empty"));
    }
    Ok((servers, credentials))
}

fn options(
    config: &BusConfig,
    timings: Timings,
    credentials: &Credentials,
    announcer: Announcer,
    denials: Denials,
) -> ConnectOptions {
    let inbox: String = config.name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let options = ConnectOptions::new()
        .name(&config.name)
        .custom_inbox_prefix(format!("_INBOX_{inbox}"))
        .ping_interval(ping_interval(timings))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .event_callback(move |event| {
            notice(&event, &announcer, &denials);
            async {}
        });
    match credentials {
        Credentials::None => options,
        Credentials::Token(token) => options.token(token.clone()),
        Credentials::User(user, password) => options.user_and_password(user.clone(), password.clone()),
        Credentials::Nkey(key) => options.nkey(key.seed().to_owned()),
    }
}

/// A denied permission shows nowhere else: the caller only sees a time-out.
fn notice(event: &async_nats::Event, announcer: &Announcer, denials: &Denials) {
    use async_nats::Event;
    match event {
        Event::Connected => announcer.connected(),
        Event::Disconnected => announcer.disconnected(),
        Event::ServerError(error) => denials.notice(&error.to_string()),
        _ => {}
    }
    let kind = match event {
        Event::Connected => "connected",
        Event::Disconnected => "disconnected",
        Event::LameDuckMode => "lame_duck",
        Event::Draining => "draining",
        Event::Closed => "closed",
        Event::SlowConsumer(_) => "slow_consumer",
        Event::ServerError(_) => "server_error",
        Event::ClientError(_) => "client_error",
    };
    metrics::get().nats_event(kind);
    match event {
        Event::Connected | Event::Draining | Event::Closed => tracing::debug!(kind, "broker connection"),
        Event::Disconnected | Event::LameDuckMode => tracing::warn!(kind, "broker connection"),
        Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(kind, detail = %event, "broker connection");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, servers};

    #[test]
    fn credentials_leave_the_address() {
        let (addresses, credentials) = servers("nats://u:p%40s@h:1, nats://i").unwrap();
        let shown: Vec<&str> = addresses.iter().map(async_nats::ServerAddr::as_url_str).collect();
        assert_eq!(shown, ["nats://h:1", "nats://i"]);
        assert!(matches!(credentials, Credentials::User(user, password) if user == "u" && password == "p@s"));
        let (_, token) = servers("nats://t0ken@h").unwrap();
        assert!(matches!(token, Credentials::Token(token) if token == "t0ken"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in ["", "http://u:secret@h", "nats://u:secret@:x"] {
            let Err(error) = servers(url) else { panic!("{url} is taken") };
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
