//! Events from the bus, fanned out in memory to the open streams of this pod.
//!
//! A channel with a fixed length: a reader that falls behind loses its place and reads the rows again.

use std::time::Duration;

use caffeine_bus::Bus;
use caffeine_contract::v1;
use caffeine_model::RunId;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// How many events a slow reader may fall behind.
const LENGTH: usize = 1_024;
const RETRY: Duration = Duration::from_secs(5);

/// Something happened to a run.
#[derive(Debug, Clone)]
pub(crate) struct LiveEvent {
    pub(crate) run: RunId,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// There are new rows.
    Changed,
    /// A stage has come further. Not stored anywhere.
    Progress(v1::StageProgress),
}

/// Hands out receivers.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    sender: broadcast::Sender<LiveEvent>,
    probes: broadcast::Sender<v1::ProbeAnswered>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::Sender::new(LENGTH), probes: broadcast::Sender::new(LENGTH) }
    }

    /// Everything from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<LiveEvent> {
        self.sender.subscribe()
    }

    /// Answers to tests of connections from now on, to anybody's.
    pub(crate) fn subscribe_to_probes(&self) -> broadcast::Receiver<v1::ProbeAnswered> {
        self.probes.subscribe()
    }

    /// Feeds the channels until `shutdown`. Without the broker, readers live on their polling.
    pub(crate) async fn run(self, bus: Bus, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            match bus.events().await {
                Ok(mut receiver) => loop {
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        received = receiver.next() => self.forward(received.scope.run, received.event),
                    }
                },
                Err(error) => tracing::warn!(error = %error, "events cannot be received"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    fn forward(&self, run: RunId, event: v1::Event) {
        let what = match event.event {
            Some(v1::event::Event::Progress(progress)) => What::Progress(progress),
            Some(v1::event::Event::RunChanged(_)) => What::Changed,
            Some(v1::event::Event::ProbeAnswered(answered)) => {
                let _ = self.probes.send(answered);
                return;
            }
            None => return,
        };
        // An error only says that nobody listens.
        let _ = self.sender.send(LiveEvent { run, what });
    }
}
