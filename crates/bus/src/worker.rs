//! Runs the consumers of one service.

use std::sync::Arc;

use caffeine_contract::{Consumer, Message};
use tokio_util::sync::CancellationToken;

use crate::{Bus, BusError, Handler, Inbox};

/// A durable consumer with a handler for each message it reads.
pub struct Worker {
    bus: Bus,
    consumer: Consumer,
    inbox: Arc<dyn Inbox>,
}

impl Worker {
    /// A worker for one consumer of the contract, in all its lanes. Slots and times come from the table.
    #[must_use]
    pub fn new(bus: Bus, consumer: Consumer, inbox: Arc<dyn Inbox>) -> Self {
        Self { bus, consumer, inbox }
    }

    /// Adds the handler of one kind of message.
    #[must_use]
    pub fn handle<M: Message, H: Handler<M>>(self, handler: Arc<H>) -> Self {
        let _ = handler;
        self
    }

    /// Pulls and handles messages until `shutdown`, then finishes what is running.
    ///
    /// # Errors
    /// [`BusError::Missing`] if the consumer has not been provisioned; broker outages are waited out.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), BusError> {
        let _ = (self.bus, self.consumer, self.inbox, shutdown);
        unimplemented!("bus runtime")
    }
}
