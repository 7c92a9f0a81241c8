//! `chunks.listed`, and the failure of the whole stage.

use caffeine_bus::{Failure, Rejection};
use caffeine_contract::v1;
use caffeine_kit::store_failure;
use caffeine_store::fan_in::StageFailure;

use super::{Delivery, Handled, Indexer};
use crate::outputs;

impl Indexer {
    /// Stores how many batches there are, or passes on that the clone failed.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn chunks_listed(&self, at: Delivery<'_>, message: &v1::ChunksListed) -> Result<Handled, Failure> {
        let failure = message
            .failure
            .as_ref()
            .map(|failure| StageFailure { code: failure.code.clone(), reason: failure.reason.clone() });
        let listed = failure.as_ref().map_or(Ok(message.batches), Err);
        let state = self.store.store_chunks_listed(&at.work_of(), at.version(), listed).await.map_err(store_failure)?;
        Ok(Handled::of(at.scope, &state))
    }

    /// Ends the index of a run: its list cannot be read.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject_index(&self, at: Delivery<'_>, rejection: &Rejection) -> Result<Handled, Failure> {
        let failure = outputs::stage_failure(rejection);
        let state = self.store.fail_index(&at.work_of(), at.version(), &failure).await.map_err(store_failure)?;
        if state.fan_in.failure.is_none() {
            // It was indexed before: only its outputs are missing.
            return Ok(Handled::of(at.scope, &state));
        }
        Ok(Handled { outputs: outputs::failed(at.scope, &state.fan_in, &failure), progress: None })
    }
}
