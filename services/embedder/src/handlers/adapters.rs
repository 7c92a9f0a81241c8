//! Where the bus calls the handlers.

use async_trait::async_trait;
use caffeine_bus::{Failure, Handler, Job, Outgoing, Rejection};
use caffeine_contract::v1;

use super::{Delivery, Handled, Indexer};
use crate::outputs::STAGE;

fn delivery(job: &Job) -> Delivery<'_> {
    Delivery { scope: &job.scope, work: job.work, key: &job.key, cancelled: job.cancelled() }
}

fn finish(job: &Job, handled: Handled) -> Vec<Outgoing> {
    if let Some(progress) = handled.progress {
        job.progress(STAGE, progress.done, progress.total, "batches");
    }
    handled.outputs
}

#[async_trait]
impl Handler<v1::ChunksBatch> for Indexer {
    async fn handle(&self, job: &Job, message: v1::ChunksBatch) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.chunks_batch(delivery(job), &message).await?))
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::ChunksBatch>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.reject_chunks_batch(delivery(job), rejection).await?))
    }
}

#[async_trait]
impl Handler<v1::ChunksListed> for Indexer {
    async fn handle(&self, job: &Job, message: v1::ChunksListed) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.chunks_listed(delivery(job), &message).await?))
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::ChunksListed>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.reject_index(delivery(job), rejection).await?))
    }
}
