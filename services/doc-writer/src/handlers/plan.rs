//! `document.requested` and `document.ready`.

use async_trait::async_trait;
use caffeine_bus::{Failure, Handler, Job, Outgoing, Rejection};
use caffeine_contract::v1;

use crate::planner::Planner;

/// Hands the messages of PLANS to the planner.
pub(crate) struct PlanHandler(pub(crate) Planner);

#[async_trait]
impl Handler<v1::DocumentRequested> for PlanHandler {
    async fn handle(&self, job: &Job, message: v1::DocumentRequested) -> Result<Vec<Outgoing>, Failure> {
        self.0.requested(&job.scope, job.work, message).await
    }

    async fn reject(
        &self,
        job: &Job,
        message: Option<v1::DocumentRequested>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        self.0.reject_requested(&job.scope, job.work, &job.key, message, rejection).await
    }
}

#[async_trait]
impl Handler<v1::DocumentReady> for PlanHandler {
    async fn handle(&self, job: &Job, message: v1::DocumentReady) -> Result<Vec<Outgoing>, Failure> {
        self.0.ready(&job.scope, job.work, message).await
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::DocumentReady>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        self.0.reject_ready(&job.scope, job.work, rejection).await
    }
}
