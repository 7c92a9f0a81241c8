//! The connection to the broker.

use caffeine_contract::{Subjects, v1};

use crate::Outgoing;

/// How to reach the broker.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `nats://[user:password@]host:port`.
    pub url: String,
    /// Isolates installations and tests; empty or one token.
    pub prefix: String,
    /// Shown in the broker's connection list: the service's name.
    pub name: String,
}

/// The broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Not reachable, or the credentials are refused.
    #[error("connect to NATS at {url}")]
    Connect {
        /// The address without credentials.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream or consumer is missing: nobody has run `caffeine provision`.
    #[error("{what} is missing on the broker: run `caffeine provision`")]
    Missing {
        /// Which stream or consumer.
        what: String,
    },
    /// Anything else the broker says.
    #[error("{action}")]
    Broker {
        /// What was tried.
        action: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A message was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The window of its subject, or the stream, is full: try later with the same id.
    #[error("no room in {stream}")]
    Full {
        /// Which stream.
        stream: String,
    },
    /// Larger than the payload limit: a bug of the caller.
    #[error("{bytes} bytes exceed the payload limit")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The broker is gone, or did not answer: try later with the same id.
    #[error("publish to {subject}")]
    Unavailable {
        /// Where to.
        subject: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A connection. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    pub(crate) subjects: Subjects,
}

impl Bus {
    /// Connects, and keeps trying for a while if the broker is not there yet.
    ///
    /// # Errors
    /// [`BusError::Connect`].
    pub async fn connect(config: &BusConfig) -> Result<Self, BusError> {
        Ok(Self { subjects: Subjects::new(&config.prefix) })
    }

    /// Publishes once and awaits the acknowledgement, without waiting for room.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn try_publish(&self, outgoing: &Outgoing) -> Result<(), PublishError> {
        let _ = outgoing;
        unimplemented!("bus runtime")
    }

    /// Publishes an event without waiting; it may be lost. `kind` is the last token of the subject.
    pub fn emit(&self, kind: &str, event: v1::Event) {
        let _ = (kind, event, &self.subjects);
    }

    /// Whether the connection is up: for readiness.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        unimplemented!("bus runtime")
    }

    /// Sends what is buffered and closes the connection.
    pub async fn drain(&self) {}
}
