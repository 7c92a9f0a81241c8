//! Dead letters: the original bytes and why nobody wants them.

use async_nats::jetstream::AckKind;
use bytes::Bytes;
use caffeine_contract::table::MAX_PAYLOAD;
use caffeine_contract::{Scope, Stream, headers};

use crate::delivery::{Delivery, Outcome};
use crate::headers::{Envelope, set};
use crate::publish::{Blocking, Letter};
use crate::reaper::without_broker_headers;
use crate::{Failure, Rejection, metrics};

/// Room for the headers of a dead letter, when its body has to be cut.
const HEADER_ROOM: usize = 64 * 1024;
/// A reason is a sentence.
const MAX_REASON: usize = 1_000;

impl Delivery {
    /// Copies the message, bytes and all, into the dead-letter stream and awaits the acknowledgement; only then the
    /// original may end (si#5035 keeps headers alone). A repeat writes the same id.
    pub(crate) async fn bury(
        &self,
        rejection: &Rejection,
        scope: Option<&Scope>,
        blocking: &Blocking,
    ) -> Result<(), Failure> {
        let whole = self.letter(rejection, scope, self.message.payload.clone());
        let stored = match self.reader.bus.store_patiently(whole, blocking, &self.stop).await {
            // It was as large as a message may be, and the headers that say why do not fit any more.
            Err(Failure::Reject { .. }) => {
                let kept = self.message.payload.len().min(MAX_PAYLOAD - HEADER_ROOM);
                let cut = self.letter(rejection, scope, self.message.payload.slice(..kept));
                self.reader.bus.store_patiently(cut, blocking, &self.stop).await
            }
            stored => stored,
        };
        if stored.is_ok() {
            metrics::get().dead(self.reader.spec.durable, &rejection.code);
        }
        stored
    }

    /// Buries a message that no handler can be asked about.
    pub(crate) async fn bury_unread(&self, code: &str, reason: &str, envelope: &Envelope) -> Outcome {
        let rejection = Rejection { code: code.to_owned(), reason: reason.to_owned() };
        let blocking = Blocking::new(std::sync::Arc::clone(&self.reader.may_block));
        match self.bury(&rejection, envelope.scope.as_ref(), &blocking).await {
            Ok(()) => {
                tracing::warn!(subject = %self.message.subject, code, reason, "rejected");
                self.settle(AckKind::Term, Outcome::Rejected).await
            }
            Err(Failure::HandBack { after }) => self.hand_back(None, after).await,
            Err(_) => self.hand_back(None, std::time::Duration::from_secs(1)).await,
        }
    }

    fn letter(&self, rejection: &Rejection, scope: Option<&Scope>, body: Bytes) -> Letter {
        let facts = &self.facts;
        // The broker's own headers would steer the copy as they steered the original.
        let mut map = self.message.headers.as_ref().map(without_broker_headers).unwrap_or_default();
        let reason: String = rejection.reason.chars().take(MAX_REASON).collect();
        set(&mut map, headers::MESSAGE_ID, &format!("dead:{}:{}", facts.stream, facts.sequence));
        set(&mut map, headers::DEAD_SUBJECT, &self.message.subject);
        set(&mut map, headers::DEAD_STREAM, &facts.stream);
        set(&mut map, headers::DEAD_SEQUENCE, &facts.sequence.to_string());
        set(&mut map, headers::DEAD_DELIVERED, &facts.delivered.to_string());
        set(&mut map, headers::DEAD_CODE, &rejection.code);
        set(&mut map, headers::DEAD_REASON, &reason);
        let workspace = scope.map(|scope| scope.workspace.to_string()).unwrap_or_default();
        let repository = scope.map(|scope| scope.repository.to_string()).unwrap_or_default();
        Letter {
            subject: self.reader.bus.subjects.dead(self.reader.spec.durable, &workspace, &repository),
            stream: Stream::Dead.spec().name,
            headers: map,
            body,
        }
    }
}
