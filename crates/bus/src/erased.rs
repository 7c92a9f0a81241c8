//! Handlers of different messages behind one type.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use caffeine_contract::{Kind, Message, Scope};

use crate::{Failure, Handler, Job, Outgoing, Rejection};

/// Stable word for a body that is not what its headers claim.
pub(crate) const UNDECODABLE: &str = "undecodable";

#[async_trait]
pub(crate) trait ErasedHandler: Send + Sync {
    fn kind(&self) -> Kind;

    /// What the body says about itself, for messages whose headers are unusable.
    fn identify(&self, body: &Bytes) -> Option<(Scope, String)>;

    /// Decodes and handles; a body that cannot be decoded is a rejection.
    async fn handle(&self, job: &Job, body: Bytes) -> Result<Vec<Outgoing>, Failure>;

    /// Rejects, with the message if it can be decoded.
    async fn reject(&self, job: &Job, body: Bytes, rejection: &Rejection) -> Result<Vec<Outgoing>, Failure>;
}

pub(crate) struct Typed<M, H> {
    handler: Arc<H>,
    message: PhantomData<fn() -> M>,
}

impl<M, H> Typed<M, H> {
    pub(crate) fn new(handler: Arc<H>) -> Self {
        Self { handler, message: PhantomData }
    }
}

/// Decodes a message and checks that it belongs to a run.
fn decode<M: Message>(body: Bytes) -> Result<(M, Scope), caffeine_contract::DecodeError> {
    let message = M::decode(body)?;
    let scope = message.scope().ok_or(caffeine_contract::DecodeError::Missing("scope"))?;
    let scope = Scope::from_wire(scope)?;
    Ok((message, scope))
}

#[async_trait]
impl<M: Message, H: Handler<M>> ErasedHandler for Typed<M, H> {
    fn kind(&self) -> Kind {
        M::KIND
    }

    fn identify(&self, body: &Bytes) -> Option<(Scope, String)> {
        let (message, scope) = decode::<M>(body.clone()).ok()?;
        Some((scope, message.key()))
    }

    async fn handle(&self, job: &Job, body: Bytes) -> Result<Vec<Outgoing>, Failure> {
        match decode::<M>(body) {
            Ok((message, _)) => self.handler.handle(job, message).await,
            Err(error) => Err(Failure::reject(UNDECODABLE, format!("the message cannot be decoded: {error}"))),
        }
    }

    async fn reject(&self, job: &Job, body: Bytes, rejection: &Rejection) -> Result<Vec<Outgoing>, Failure> {
        let message = decode::<M>(body).ok().map(|(message, _)| message);
        self.handler.reject(job, message, rejection).await
    }
}
