//! `chunks.batch`

use std::sync::Arc;
use std::time::{Duration, Instant};

use caffeine_bus::{Failure, Rejection};
use caffeine_contract::v1;
use caffeine_kit::store_failure;
use caffeine_store::embedder::EmbeddedFile;

use super::{Delivery, Handled, Indexer, chain};
use crate::index::{IndexError, index};
use crate::outputs;
use crate::unpack::{InputFile, unpack};

impl Indexer {
    /// Embeds the chunks of a batch and stores them, or stores that the batch could not be analysed.
    ///
    /// # Errors
    /// See [`Failure`]; `bad_batch` if the batch is not what it claims to be.
    pub async fn chunks_batch(&self, at: Delivery<'_>, message: &v1::ChunksBatch) -> Result<Handled, Failure> {
        let (of, version) = (at.work_of(), at.version());
        if let Some(failure) = &message.failure {
            let reason = format!("{}: {}", failure.code, failure.reason);
            let state =
                self.store.skip_chunk_batch(&of, version, message.batch, &reason).await.map_err(store_failure)?;
            return Ok(Handled::of(at.scope, &state));
        }
        let files = unpack(message).map_err(|problem| Failure::reject("bad_batch", chain(&problem)))?;
        let rows = self.embed(at, files).await?;
        let started = Instant::now();
        let state = self.store.store_chunk_batch(&of, version, message.batch, &rows).await.map_err(store_failure)?;
        self.metrics.stored(started.elapsed());
        Ok(Handled::of(at.scope, &state))
    }

    async fn embed(&self, at: Delivery<'_>, files: Vec<InputFile>) -> Result<Vec<EmbeddedFile>, Failure> {
        let started = Instant::now();
        let chunks = files.iter().map(|file| file.chunks.len()).sum();
        let (embedder, per_call, cancelled) = (Arc::clone(&self.embedder), self.chunks_per_call, at.cancelled.clone());
        let rows = tokio::task::spawn_blocking(move || index(embedder.as_ref(), files, per_call, &cancelled))
            .await
            .map_err(|error| Failure::retry(format!("embed the chunks: {error}")))?
            .map_err(|error| match error {
                IndexError::Cancelled => Failure::HandBack { after: Duration::ZERO },
                other => Failure::retry(chain(&other)),
            })?;
        self.metrics.embedded(chunks, started.elapsed());
        Ok(rows)
    }

    /// Ends a batch without its result. Its number comes from the headers, because its body may be unreadable.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reject_chunks_batch(&self, at: Delivery<'_>, rejection: &Rejection) -> Result<Handled, Failure> {
        let Ok(batch) = at.key.parse() else {
            tracing::error!(run_id = %at.scope.run, key = at.key, "a batch without a number: nobody waits for it");
            return Ok(Handled { outputs: Vec::new(), progress: None });
        };
        let failure = outputs::stage_failure(rejection);
        let state =
            self.store.fail_chunk_batch(&at.work_of(), at.version(), batch, &failure).await.map_err(store_failure)?;
        Ok(Handled::of(at.scope, &state))
    }
}
