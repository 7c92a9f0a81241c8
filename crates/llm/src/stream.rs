//! What a model answers, as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::BoxStream;

use crate::LlmError;

/// One thing that happened while the model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LlmEvent {
    /// More text.
    Delta(String),
    /// What the call has cost so far; each replaces the one before.
    Usage(Usage),
    /// The end. Nothing follows.
    Stop(StopReason),
}

/// Tokens of one call. The whole input is the sum of the three input fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens paid in full.
    pub input_tokens: u64,
    /// Input tokens written to the provider's prompt cache.
    pub cache_creation_input_tokens: u64,
    /// Input tokens read from the provider's prompt cache.
    pub cache_read_input_tokens: u64,
    /// Output tokens, hidden thinking included.
    pub output_tokens: u64,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// It had said everything, or met a stop sequence.
    EndTurn,
    /// The answer reached `max_tokens` and is cut off.
    MaxTokens,
    /// Question and answer together filled the model's window.
    ContextWindow,
    /// The model or its provider declined.
    Refusal {
        /// The provider's word for why, if it gave one.
        category: Option<String>,
    },
    /// A reason this crate does not know, or one that has no place in plain text.
    Other(String),
}

/// A running answer: events until [`LlmEvent::Stop`] or an error, then nothing.
pub struct LlmStream {
    request_id: Option<String>,
    events: BoxStream<'static, Result<LlmEvent, LlmError>>,
}

impl LlmStream {
    /// A stream of the given events. `request_id` is the provider's name of the call.
    pub fn new(
        request_id: Option<String>,
        events: impl Stream<Item = Result<LlmEvent, LlmError>> + Send + 'static,
    ) -> Self {
        Self { request_id, events: Box::pin(events) }
    }

    /// A stream of events that are all there already, for clients that play back an answer.
    #[must_use]
    pub fn from_events(events: Vec<Result<LlmEvent, LlmError>>) -> Self {
        Self::new(None, futures::stream::iter(events))
    }

    /// The provider's name of this call, to quote to its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

impl Stream for LlmStream {
    type Item = Result<LlmEvent, LlmError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.as_mut().poll_next(cx)
    }
}

impl std::fmt::Debug for LlmStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LlmStream").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}
