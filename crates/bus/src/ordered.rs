//! An ordered consumer that survives reconnects, leader changes and deletion.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{self, OrderedConfig};
use async_nats::jetstream::{self, Message};
use futures::StreamExt as _;

use crate::BusError;

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Ordered {
    jetstream: jetstream::Context,
    stream: String,
    filter: String,
    name: String,
    policy: DeliverPolicy,
    messages: Option<pull::Ordered>,
    pause: Duration,
}

impl Ordered {
    /// `name` is completed to be unique; permissions are granted for named consumers only. One per pod, never one per
    /// reader: the broker refuses the 1,001st consumer of a stream.
    pub(crate) async fn open(
        jetstream: jetstream::Context,
        stream: String,
        filter: String,
        name: String,
        policy: DeliverPolicy,
    ) -> Result<Self, BusError> {
        let mut ordered =
            Self { jetstream, stream, filter, name, policy, messages: None, pause: Duration::from_millis(100) };
        ordered.messages = Some(ordered.build().await?);
        Ok(ordered)
    }

    async fn build(&mut self) -> Result<pull::Ordered, BusError> {
        // The last token of an inbox is a fresh random name.
        let inbox = self.jetstream.client().new_inbox();
        let unique = inbox.rsplit('.').next().unwrap_or(&inbox);
        let config = OrderedConfig {
            name: Some(format!("{}-{unique}", self.name)),
            filter_subject: self.filter.clone(),
            deliver_policy: self.policy,
            ..OrderedConfig::default()
        };
        let consumer =
            self.jetstream.create_consumer_on_stream(config, self.stream.as_str()).await.map_err(|error| {
                use jetstream::stream::ConsumerErrorKind;
                match error.kind() {
                    ConsumerErrorKind::JetStream(code)
                        if code.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND =>
                    {
                        BusError::Missing { what: format!("the stream {}", self.stream) }
                    }
                    _ => BusError::broker(format!("read {}", self.stream), error),
                }
            })?;
        consumer.messages().await.map_err(|error| BusError::broker(format!("read {}", self.stream), error))
    }

    /// The next message; waits for ever.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            let Some(messages) = &mut self.messages else {
                match self.build().await {
                    Ok(messages) => self.messages = Some(messages),
                    Err(error) => {
                        tracing::warn!(stream = self.stream, %error, "cannot read; trying again");
                        self.wait().await;
                    }
                }
                continue;
            };
            match messages.next().await {
                Some(Ok(message)) => {
                    self.pause = Duration::from_millis(100);
                    return message;
                }
                Some(Err(error)) => {
                    // The consumer is made anew by the client after most errors.
                    tracing::debug!(stream = self.stream, %error, "reading is disturbed");
                    self.wait().await;
                }
                None => self.messages = None,
            }
        }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
