//! What a handler sees of its delivery.

use caffeine_contract::{Scope, v1};
use caffeine_model::WorkId;
use tokio_util::sync::CancellationToken;

use crate::{Bus, Failure, FaultPoint, Outgoing};

/// One delivery of a piece of work.
pub struct Job {
    /// Whose run it belongs to, from the headers.
    pub scope: Scope,
    /// The work, the same in every generation: the key of the inbox.
    pub work: WorkId,
    /// Tells it apart from its siblings in the run (a batch number, …), from the headers.
    pub key: String,
    /// Failed attempts before this one.
    pub attempts: u32,
    /// The inbox says that the effects are stored already: compute and publish the outputs again.
    pub repeat: bool,
    pub(crate) bus: Bus,
    pub(crate) cancelled: CancellationToken,
}

impl Job {
    /// Publishes an output now and awaits its acknowledgement. Waits for room downstream; the time does not count
    /// against the job's limit.
    ///
    /// # Errors
    /// [`Failure::HandBack`] if there was no room for long or the job is cancelled; [`Failure::Retry`] if the broker
    /// refuses or is gone.
    pub async fn publish(&self, outgoing: Outgoing) -> Result<(), Failure> {
        let _ = (&self.bus, outgoing);
        unimplemented!("bus runtime")
    }

    /// Tells readers how far a stage of the run is (`clone`, `analyse`, `index` or `write`). May be lost; never waits.
    /// `total` is 0 while unknown; `unit` is `batches` or `pages`.
    pub fn progress(&self, stage: &str, done: u32, total: u32, unit: &str) {
        let _ = v1::StageProgress { stage: stage.to_owned(), done, total, unit: unit.to_owned() };
    }

    /// Cancelled when the lease is lost, the run is cancelled or the pod must stop now. Long loops look at it.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Lets a test kill the process here; handlers that publish through [`Job::publish`] call it after their commit.
    pub fn fault(&self, point: FaultPoint) {
        let _ = point;
    }
}
