//! From the bytes of an answer to its events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::fault;
use super::sse::{SseDecoder, SseEvent};
use super::wire::{StopDetails, WireDelta, WireEnd, WireEvent, WireUsage};
use crate::{LlmError, LlmEvent, RetryCause, StopReason, Usage};

/// Most bytes of a whole answer on the wire.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// The names of events that [`WireEvent`] reads. Others may hold anything and are not parsed, but
/// for those without a name: some servers only write it inside.
const READ_EVENTS: [&str; 5] = ["message_start", "content_block_delta", "message_delta", "message_stop", "error"];

type Item = Result<LlmEvent, LlmError>;
type BoxedBytes = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Most time between two reads.
    pub(super) idle: Duration,
    /// When the whole call must be over.
    pub(super) deadline: Instant,
}

/// The events of an answer, ended by exactly one stop or error.
pub(super) fn events(
    bytes: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    patience: Patience,
) -> impl Stream<Item = Item> + Send + 'static {
    let answer = Answer {
        bytes: Box::pin(bytes),
        patience,
        received: 0,
        decoder: SseDecoder::default(),
        reader: Reader::default(),
    };
    futures::stream::unfold(answer, |mut answer| async {
        let item = answer.next().await?;
        Some((item, answer))
    })
}

struct Answer {
    bytes: BoxedBytes,
    patience: Patience,
    received: u64,
    decoder: SseDecoder,
    reader: Reader,
}

impl Answer {
    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.reader.ready.pop_front() {
                return Some(item);
            }
            if self.reader.ended {
                return None;
            }
            match self.read().await {
                Ok(events) => events.iter().for_each(|event| self.reader.read(event)),
                Err(error) => self.reader.end(Err(error)),
            }
        }
    }

    /// The events that the next bytes complete, possibly none.
    async fn read(&mut self) -> Result<Vec<SseEvent>, LlmError> {
        let until = self.patience.deadline.min(Instant::now() + self.patience.idle);
        let Ok(read) = timeout_at(until, self.bytes.next()).await else {
            return Err(LlmError::retry(RetryCause::Timeout));
        };
        let Some(Ok(bytes)) = read else {
            return Err(LlmError::retry(RetryCause::Interrupted));
        };
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received > MAX_ANSWER_BYTES {
            return Err(LlmError::reject("answer_too_long"));
        }
        let mut events = Vec::new();
        match self.decoder.push(&bytes, &mut events) {
            Ok(()) => Ok(events),
            Err(_) => Err(LlmError::reject("event_too_large")),
        }
    }
}

/// Turns wire events into ours.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) ready: VecDeque<Item>,
    usage: Usage,
    stop: Option<StopReason>,
    pub(super) ended: bool,
}

impl Reader {
    pub(super) fn read(&mut self, event: &SseEvent) {
        let is_nameless = event.name.is_empty();
        if self.ended || !(is_nameless || READ_EVENTS.contains(&event.name.as_str())) {
            return;
        }
        let event = match serde_json::from_str::<WireEvent>(&event.data) {
            Ok(event) => event,
            Err(_) if is_nameless => return,
            Err(_) => return self.end(Err(LlmError::retry(RetryCause::Interrupted))),
        };
        match event {
            WireEvent::MessageStart { message } => self.add_usage(message.usage),
            WireEvent::ContentBlockDelta { delta } => self.add_delta(delta),
            WireEvent::MessageDelta { delta, usage } => {
                self.add_usage(usage);
                self.stop = stop_reason(delta).or(self.stop.take());
            }
            WireEvent::MessageStop => {
                let stop = self.stop.take();
                self.end(stop.map(LlmEvent::Stop).ok_or(LlmError::retry(RetryCause::Interrupted)));
            }
            WireEvent::Error { error } => self.end(Err(fault::of_event(&error))),
            WireEvent::Other => {}
        }
    }

    fn add_delta(&mut self, delta: WireDelta) {
        if let WireDelta::TextDelta { text } = delta
            && !text.is_empty()
        {
            self.ready.push_back(Ok(LlmEvent::Delta(text)));
        }
    }

    fn add_usage(&mut self, usage: Option<WireUsage>) {
        let Some(usage) = usage else { return };
        let known = &mut self.usage;
        for (field, value) in [
            (&mut known.input_tokens, usage.input_tokens),
            (&mut known.cache_creation_input_tokens, usage.cache_creation_input_tokens),
            (&mut known.cache_read_input_tokens, usage.cache_read_input_tokens),
            (&mut known.output_tokens, usage.output_tokens),
        ] {
            *field = value.unwrap_or(*field);
        }
        self.ready.push_back(Ok(LlmEvent::Usage(self.usage)));
    }

    fn end(&mut self, last: Item) {
        self.ready.push_back(last);
        self.ended = true;
    }
}

fn stop_reason(end: WireEnd) -> Option<StopReason> {
    let reason = end.stop_reason?;
    Some(match reason.as_str() {
        "end_turn" | "stop_sequence" => StopReason::EndTurn,
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        "refusal" => StopReason::Refusal { category: end.stop_details.and_then(safe_category) },
        other => StopReason::Other(fault::safe_code(other).unwrap_or("unknown".to_owned())),
    })
}

fn safe_category(details: StopDetails) -> Option<String> {
    fault::safe_code(&details.category?)
}
