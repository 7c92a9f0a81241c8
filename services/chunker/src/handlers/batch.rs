//! `files.batch`

use std::time::{Duration, Instant};

use caffeine_bus::{Failure, Rejection};
use caffeine_contract::v1;
use caffeine_kit::store_failure;

use super::{Chunker, Delivery, Handled, Progress, chain};
use crate::analyse::Stopped;
use crate::outputs;
use crate::pack::pack;
use crate::unpack::unpack;

impl Chunker {
    /// Analyses the files of a batch and stores what they say.
    ///
    /// # Errors
    /// See [`Failure`]; `bad_batch` if the batch is not what it claims to be.
    pub async fn files_batch(&self, at: Delivery<'_>, message: &v1::FilesBatch) -> Result<Handled, Failure> {
        let files =
            unpack(at.scope.repository, message).map_err(|problem| Failure::reject("bad_batch", chain(&problem)))?;
        let started = Instant::now();
        let bytes = files.iter().map(|file| file.content.len()).sum();
        let analysed = self.analysers.run(files, at.cancelled).await.map_err(|stopped| match stopped {
            Stopped::Cancelled => Failure::HandBack { after: Duration::ZERO },
            Stopped::Died => Failure::retry("a thread of the analysis died"),
        })?;
        let (rows, chunked): (Vec<_>, Vec<_>) = analysed.into_iter().map(|file| (file.row, file.chunked)).unzip();
        let skipped = rows.iter().filter(|row| row.skip_reason.is_some()).count();
        self.metrics.analysed(rows.len(), skipped, bytes, started.elapsed());
        let packed = pack(chunked).map_err(|error| Failure::retry(format!("compress the chunks: {error}")))?;
        if packed.dropped > 0 {
            tracing::warn!(run_id = %at.scope.run, batch = message.batch, files = packed.dropped,
                "chunks do not fit a message: files are left out of the search index");
        }
        let fan_in = self
            .store
            .store_file_batch(&at.work_of(), &at.scope.analyser, message.batch, &rows)
            .await
            .map_err(store_failure)?;
        let mut outputs = vec![outputs::chunks(at.scope, message.batch, packed)];
        outputs.extend(outputs::link_if_complete(at.scope, &fan_in));
        Ok(Handled { outputs, progress: Some(Progress::of(&fan_in)) })
    }

    /// Ends a batch without its result. Its number comes from the headers, because its body may be unreadable.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject_files_batch(&self, at: Delivery<'_>, rejection: &Rejection) -> Result<Handled, Failure> {
        let Ok(batch) = at.key.parse() else {
            tracing::error!(run_id = %at.scope.run, key = at.key, "a batch without a number: nobody waits for it");
            return Ok(Handled { outputs: Vec::new(), progress: None });
        };
        let failure = outputs::stage_failure(rejection);
        let fan_in = self.store.fail_file_batch(&at.work_of(), batch, &failure).await.map_err(store_failure)?;
        let mut outputs = vec![outputs::failed_chunks(at.scope, batch, &failure)];
        outputs.extend(outputs::link_if_complete(at.scope, &fan_in));
        Ok(Handled { outputs, progress: Some(Progress::of(&fan_in)) })
    }
}
