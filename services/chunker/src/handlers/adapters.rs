//! Where the bus calls the handlers.

use async_trait::async_trait;
use caffeine_bus::{Failure, Handler, Job, Outgoing, Rejection};
use caffeine_contract::v1;

use super::{Chunker, Delivery, Handled};
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
impl Handler<v1::FilesBatch> for Chunker {
    async fn handle(&self, job: &Job, message: v1::FilesBatch) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.files_batch(delivery(job), &message).await?))
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::FilesBatch>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.reject_files_batch(delivery(job), rejection).await?))
    }
}

#[async_trait]
impl Handler<v1::FilesListed> for Chunker {
    async fn handle(&self, job: &Job, message: v1::FilesListed) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.files_listed(delivery(job), &message).await?))
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::FilesListed>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.reject_analysis(delivery(job), rejection).await?))
    }
}

#[async_trait]
impl Handler<v1::LinkRequested> for Chunker {
    async fn handle(&self, job: &Job, _message: v1::LinkRequested) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.link_requested(delivery(job)).await?))
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::LinkRequested>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        Ok(finish(job, self.reject_analysis(delivery(job), rejection).await?))
    }
}
