//! What lies in the streams: read, counted and removed from outside of any consumer. Administrative rights only.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream as Handle};
use bytes::Bytes;
use caffeine_contract::table::STREAMS;
use caffeine_contract::{Stream, StreamSpec};
use caffeine_model::{RepositoryId, RunId, WorkspaceId};
use futures::TryStreamExt as _;

use crate::headers::Envelope;
use crate::{Bus, BusError};

/// A message as it lies in a stream.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    /// When the broker stored it, since the epoch.
    pub(crate) at: Duration,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Stored {
    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::read(Some(&self.headers))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// A header that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }
}

impl From<StreamMessage> for Stored {
    fn from(message: StreamMessage) -> Self {
        let nanoseconds = u64::try_from(message.time.unix_timestamp_nanos()).unwrap_or_default();
        Self {
            subject: message.subject.to_string(),
            sequence: message.sequence,
            at: Duration::from_nanos(nanoseconds),
            headers: message.headers,
            body: message.payload,
        }
    }
}

/// Where the work of the pipeline lies, in the order in which a run goes through it.
fn work_streams() -> impl Iterator<Item = &'static StreamSpec> {
    STREAMS.iter().filter(|spec| spec.retention == caffeine_contract::table::Retention::WorkQueue)
}

impl Bus {
    /// A stream's handle, without asking the broker for it.
    pub(crate) async fn stream_handle(&self, stream: Stream) -> Result<Handle<()>, BusError> {
        let name = self.subjects.stream(stream);
        self.jetstream
            .get_stream_no_info(&name)
            .await
            .map_err(|error| BusError::broker(format!("use the stream {name}"), error))
    }

    /// The first message at or after a sequence on a subject (wildcards allowed); `None` if there is none.
    pub(crate) async fn next_stored(
        &self,
        stream: Stream,
        subject: &str,
        from: u64,
    ) -> Result<Option<Stored>, BusError> {
        let handle = self.stream_handle(stream).await?;
        match handle.get_first_raw_message_by_subject(subject, from).await {
            Ok(message) => Ok(Some(message.into())),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(BusError::broker(format!("read a message of {}", self.subjects.stream(stream)), error)),
        }
    }

    /// Removes one message; one that is gone already is no error.
    pub(crate) async fn remove_stored(&self, stream: Stream, sequence: u64) -> Result<(), BusError> {
        let handle = self.stream_handle(stream).await?;
        match handle.delete_message(sequence).await {
            Ok(_) => Ok(()),
            Err(_) if self.stored(stream, sequence).await?.is_none() => Ok(()),
            Err(error) => {
                Err(BusError::broker(format!("delete message {sequence} of {}", self.subjects.stream(stream)), error))
            }
        }
    }

    /// One message by its sequence.
    pub(crate) async fn stored(&self, stream: Stream, sequence: u64) -> Result<Option<Stored>, BusError> {
        let handle = self.stream_handle(stream).await?;
        match handle.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message.into())),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => {
                Err(BusError::broker(format!("read message {sequence} of {}", self.subjects.stream(stream)), error))
            }
        }
    }

    /// Whether any work of a run may still lie in a stream: messages of its repository, transitions of its own.
    ///
    /// Streams are asked in the order of the pipeline, and a message is stored downstream before its cause is
    /// acknowledged upstream. So whatever moves meanwhile moves to where has not been looked yet, and a *no* is sure.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn has_work(
        &self,
        workspace: WorkspaceId,
        repository: RepositoryId,
        run: RunId,
    ) -> Result<bool, BusError> {
        for spec in work_streams() {
            let filter = match spec.stream {
                Stream::State => self.subjects.transitions(workspace, run),
                _ => self.subjects.work_of(workspace, repository),
            };
            if self.count_stored(spec.stream, &filter).await? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many messages lie on a subject (wildcards allowed).
    async fn count_stored(&self, stream: Stream, filter: &str) -> Result<u64, BusError> {
        let handle = self.stream_handle(stream).await?;
        let failed = |error| BusError::broker(format!("count messages of {}", self.subjects.stream(stream)), error);
        let mut subjects = handle.info_builder().subjects(filter).fetch().await.map_err(failed)?;
        let mut count = 0;
        while let Some((_, messages)) = subjects.try_next().await.map_err(failed)? {
            count += u64::try_from(messages).unwrap_or(u64::MAX);
        }
        Ok(count)
    }
}
