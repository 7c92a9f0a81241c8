//! `page.requested`.

use async_trait::async_trait;
use caffeine_bus::{Failure, Handler, Job, Outgoing, Rejection};
use caffeine_contract::v1;

use crate::writer::{PageEnd, PageWriter};

/// Hands the messages of PAGES to the writer.
pub(crate) struct PageHandler(pub(crate) PageWriter);

fn report(job: &Job, end: PageEnd) -> Vec<Outgoing> {
    if end.total > 0 {
        job.progress("write", end.done, end.total, "pages");
    }
    end.outputs
}

#[async_trait]
impl Handler<v1::PageRequested> for PageHandler {
    async fn handle(&self, job: &Job, message: v1::PageRequested) -> Result<Vec<Outgoing>, Failure> {
        let end = self.0.write(&job.scope, job.work, message, job.cancelled()).await?;
        Ok(report(job, end))
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::PageRequested>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        let end = self.0.reject(&job.scope, job.work, &job.key, rejection).await?;
        Ok(report(job, end))
    }
}
