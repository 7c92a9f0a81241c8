//! `link.requested`

use std::time::Instant;

use caffeine_bus::Failure;
use caffeine_kit::store_failure;
use caffeine_store::StoreError;
use caffeine_store::chunker::{LinkRows, SnapshotFile};

use super::{Chunker, Delivery, Handled, same_version};
use crate::outputs;
use crate::to_link::{UnknownWord, link_input, link_rows};

#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Word(#[from] UnknownWord),
    #[error("link the snapshot")]
    Died(#[from] tokio::task::JoinError),
}

impl Chunker {
    /// Links the snapshot of a run and says that it is analysed.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn link_requested(&self, at: Delivery<'_>) -> Result<Handled, Failure> {
        same_version(at.scope)?;
        let started = Instant::now();
        let linked = self.store.link_run(&at.work_of(), &at.scope.analyser, self.max_link_rows, link).await.map_err(
            |error| match error {
                LinkError::Store(error) => store_failure(error),
                other => Failure::retry(super::chain(&other)),
            },
        )?;
        self.metrics.linked(started.elapsed());
        Ok(Handled { outputs: outputs::analysed(at.scope, &linked), progress: None })
    }
}

/// Links on a blocking thread. A panic there counts as an attempt, so the run ends with a reason.
async fn link(files: Vec<SnapshotFile>) -> Result<LinkRows, LinkError> {
    tokio::task::spawn_blocking(move || {
        let input = link_input(files)?;
        Ok(link_rows(caffeine_analysis::link(&input)))
    })
    .await?
}
