//! What can go wrong with the broker.

use async_nats::jetstream::{self, context::PublishErrorKind};
use caffeine_contract::table::MAX_PAYLOAD;

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
    /// This user may not do what the contract says it must.
    #[error(
        "the broker does not let the user of {user} {what}: is it this service's key, and are the users current (`caffeine users`)?"
    )]
    Denied {
        /// Who the program is.
        user: &'static str,
        /// Which subjects.
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

impl BusError {
    pub(crate) fn broker(
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Broker { action: action.into(), source: source.into() }
    }
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

/// "Cannot store": the answer to a full window and to a full stream under `discard: new`.
const STORE_FAILED: u64 = 10_077;
/// "Message size exceeds maximum allowed", by the stream's own limit.
const MESSAGE_TOO_LARGE: u64 = 10_054;

impl PublishError {
    /// `async-nats` has no kind for most refusals: the broker's code is in the source. Whatever is not known to be
    /// refused may be stored (a time-out is no refusal, nor is the 429 above the ingest buffer, nats.c#1022), so it is
    /// tried again with the same id.
    pub(crate) fn classify(
        error: jetstream::context::PublishError,
        subject: String,
        stream: &str,
        bytes: usize,
    ) -> Self {
        match (error.kind(), broker_code(&error)) {
            (_, Some(STORE_FAILED)) => Self::Full { stream: stream.to_owned() },
            (PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(MESSAGE_TOO_LARGE)) => Self::TooLarge { bytes },
            _ if bytes > MAX_PAYLOAD => Self::TooLarge { bytes },
            _ => Self::Unavailable { subject, source: Box::new(error) },
        }
    }

    /// A short word or the broker's code, for the metric of retries.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Full { .. } => "full".to_owned(),
            Self::TooLarge { .. } => "too_large".to_owned(),
            Self::Unavailable { source, .. } => match source.downcast_ref::<jetstream::context::PublishError>() {
                Some(error) => match (broker_code(error), error.kind()) {
                    (Some(code), _) => code.to_string(),
                    (None, PublishErrorKind::TimedOut) => "timed_out".to_owned(),
                    (None, PublishErrorKind::BrokenPipe) => "broken_pipe".to_owned(),
                    (None, PublishErrorKind::StreamNotFound) => "no_stream".to_owned(),
                    (None, _) => "other".to_owned(),
                },
                None => "other".to_owned(),
            },
        }
    }
}

fn broker_code(error: &jetstream::context::PublishError) -> Option<u64> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<jetstream::Error>().map(|error| error.error_code().0)
}
