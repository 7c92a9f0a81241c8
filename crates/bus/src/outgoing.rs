//! A message on its way out.

use bytes::Bytes;
use caffeine_contract::{DecodeError, Kind, Message, Scope};
use caffeine_model::{MessageId, WorkId};

/// A work message with everything needed to publish it: subject, id and headers follow from kind, scope and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What it is.
    pub kind: Kind,
    /// Whose run it belongs to; also inside the body.
    pub scope: Scope,
    /// Tells it apart from its siblings in the run.
    pub key: String,
    /// Encoded protobuf.
    pub body: Bytes,
}

impl Outgoing {
    /// Puts the scope into the message and encodes it.
    #[must_use]
    pub fn new<M: Message>(scope: &Scope, mut message: M) -> Self {
        message.set_scope(scope.to_wire());
        Self { kind: M::KIND, scope: scope.clone(), key: message.key(), body: message.encode_to_vec().into() }
    }

    /// Takes an encoded message, for instance from an outbox row.
    ///
    /// # Errors
    /// If the body is not a message of type `M` with a scope.
    pub fn from_body<M: Message>(body: Bytes) -> Result<Self, DecodeError> {
        let message = M::decode(body.clone())?;
        let scope = Scope::from_wire(message.scope().ok_or(DecodeError::Missing("scope"))?)?;
        Ok(Self { kind: M::KIND, scope, key: message.key(), body })
    }

    /// The work this message asks for.
    #[must_use]
    pub fn work(&self) -> WorkId {
        WorkId::derive(self.scope.run, self.kind.spec().name, &self.key)
    }

    /// The broker's deduplication id.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        self.work().message(self.scope.generation)
    }
}
