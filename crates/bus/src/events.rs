//! Progress events, fanned out to every gateway pod.

use caffeine_contract::{Scope, v1};

use crate::{Bus, BusError};

/// An event with the scope it belongs to.
#[derive(Debug, Clone)]
pub struct Received {
    /// Whose run.
    pub scope: Scope,
    /// What happened.
    pub event: v1::Event,
}

/// All events of the installation from now on; one per pod.
pub struct EventReceiver {
    _bus: Bus,
}

impl Bus {
    /// Starts to receive events (an ordered consumer that rebuilds itself).
    ///
    /// # Errors
    /// If the stream is missing.
    pub async fn events(&self) -> Result<EventReceiver, BusError> {
        Ok(EventReceiver { _bus: self.clone() })
    }
}

impl EventReceiver {
    /// The next event; waits through reconnects. Undecodable events are skipped.
    pub async fn next(&mut self) -> Received {
        unimplemented!("bus runtime")
    }
}
