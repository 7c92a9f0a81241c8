//! `files.listed`, and the failure of the whole stage.

use caffeine_bus::{Failure, Rejection};
use caffeine_contract::v1;
use caffeine_kit::store_failure;
use caffeine_store::fan_in::StageFailure;

use super::{Chunker, Delivery, Handled, Progress};
use crate::outputs;

impl Chunker {
    /// Stores how many batches there are, or passes on that the clone failed.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn files_listed(&self, at: Delivery<'_>, message: &v1::FilesListed) -> Result<Handled, Failure> {
        let failure = message
            .failure
            .as_ref()
            .map(|failure| StageFailure { code: failure.code.clone(), reason: failure.reason.clone() });
        let listed = failure.as_ref().map_or(Ok(message.batches), Err);
        let fan_in = self.store.store_files_listed(&at.work_of(), listed).await.map_err(store_failure)?;
        // What counts is what is stored: the first word, if there were two.
        let outputs = match &fan_in.failure {
            Some(failure) => outputs::not_analysed(at.scope, failure),
            None => outputs::link_if_complete(at.scope, &fan_in).into_iter().collect(),
        };
        Ok(Handled { outputs, progress: Some(Progress::of(&fan_in)) })
    }

    /// Ends the analysis of a run: its list cannot be read, or its snapshot cannot be linked.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject_analysis(&self, at: Delivery<'_>, rejection: &Rejection) -> Result<Handled, Failure> {
        let failure = outputs::stage_failure(rejection);
        let fan_in = self.store.fail_analysis(&at.work_of(), &failure).await.map_err(store_failure)?;
        if fan_in.failure.is_none() {
            // It was linked before: only its outputs are missing.
            return self.link_requested(at).await;
        }
        Ok(Handled { outputs: outputs::failed(at.scope, &fan_in, &failure), progress: None })
    }
}
