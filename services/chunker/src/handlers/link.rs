//! `link.requested`

use std::time::Instant;

use caffeine_analysis::LinkFile;
use caffeine_bus::Failure;
use caffeine_kit::store_failure;
use caffeine_store::StoreError;
use caffeine_store::chunker::{LinkRows, SnapshotFile, SnapshotRefs};
use tokio::sync::mpsc::Receiver;

use super::{Chunker, Delivery, Handled};
use crate::outputs;
use crate::to_link::{UnknownWord, file_refs, link_file, link_rows};

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

/// Links on a blocking thread, while files and mentions are still being read. A panic there counts as an attempt, so the
/// run ends with a reason.
async fn link(mut files: Receiver<SnapshotFile>, mut refs: Receiver<SnapshotRefs>) -> Result<LinkRows, LinkError> {
    tokio::task::spawn_blocking(move || {
        let files: Vec<LinkFile> =
            std::iter::from_fn(|| files.blocking_recv()).map(link_file).collect::<Result<_, _>>()?;
        let mut unknown = None;
        let mentions = std::iter::from_fn(|| match file_refs(refs.blocking_recv()?) {
            Ok(mentions) => Some(mentions),
            Err(word) => {
                unknown = Some(word);
                None
            }
        });
        let output = caffeine_analysis::link(&files, mentions);
        unknown.map_or_else(|| Ok(link_rows(output)), |word| Err(word.into()))
    })
    .await?
}
