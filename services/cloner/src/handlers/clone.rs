//! `clone.requested`: pin, plan, send.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use caffeine_bus::{Failure, FaultPoint, Handler, Job, Outgoing, Rejection};
use caffeine_contract::table::MAX_BATCH_BYTES;
use caffeine_contract::v1::run_transition::Transition;
use caffeine_contract::{Scope, v1};
use caffeine_kit::store_failure;
use caffeine_store::Store;
use caffeine_store::cloner::{NewSnapshot, PlannedFile, StoredPlan};

use crate::CloneError;
use crate::Vault;
use crate::fetcher::{Fetcher, Source, blocking};
use crate::messages::{STAGE, failure, listed, planned, transition};
use crate::metrics::Metrics;
use crate::mirror::{Blobs, Mirror};
use crate::plan::{BatchFile, cut, encode, entries};

/// Handles requests to clone.
pub(crate) struct CloneHandler {
    pub(crate) store: Store,
    pub(crate) fetcher: Fetcher,
    pub(crate) vault: Vault,
    pub(crate) metrics: Metrics,
}

#[async_trait]
impl Handler<v1::CloneRequested> for CloneHandler {
    async fn handle(&self, job: &Job, message: v1::CloneRequested) -> Result<Vec<Outgoing>, Failure> {
        job.publish(transition(&job.scope, Transition::CloneStarted(v1::CloneStarted {}))).await?;
        let workspace = job.scope.workspace;
        let credential = self.vault.credential(workspace, &message.credential_id).await;
        let credential = credential.map_err(|error| error.into_failure(job.attempts))?;
        let source = Source { workspace, address: message.url, credential };
        let stored = self.store.clone_plan(job.scope.workspace, job.scope.run).await.map_err(store_failure)?;
        let (plan, mirror) = match stored {
            Some(plan) => (plan, None),
            None => self.pin(job, &source, &message.r#ref).await?,
        };
        job.fault(FaultPoint::AfterCommit);

        let scope = job.scope.in_lane(plan.totals.lane);
        job.publish(transition(&scope, planned(&plan))).await?;
        if plan.totals.batches > 0 {
            self.send(job, &scope, &source, &plan, mirror).await?;
        }
        let mut outputs = listed(&scope, plan.totals.batches, None).to_vec();
        outputs.push(transition(&scope, Transition::Cloned(v1::Cloned {})));
        Ok(outputs)
    }

    async fn reject(
        &self,
        job: &Job,
        _message: Option<v1::CloneRequested>,
        rejection: &Rejection,
    ) -> Result<Vec<Outgoing>, Failure> {
        let (workspace, run) = (job.scope.workspace, job.scope.run);
        let detail = format!("{}: {}", rejection.code, rejection.reason);
        self.store.reject_clone(job.work, workspace, run, &detail).await.map_err(store_failure)?;
        let plan = self.store.clone_plan(workspace, run).await.map_err(store_failure)?;
        let scope = job.scope.in_lane(plan.map_or(job.scope.lane, |plan| plan.totals.lane));
        let failure = failure(rejection);
        let mut outputs = listed(&scope, 0, Some(failure.clone())).to_vec();
        let failed = v1::StageFailed { stage: STAGE.to_owned(), failure: Some(failure) };
        outputs.push(transition(&scope, Transition::Failed(failed)));
        Ok(outputs)
    }
}

impl CloneHandler {
    /// Fetches, lists, and pins commit and plan in one transaction.
    async fn pin(
        &self,
        job: &Job,
        source: &Source,
        reference: &str,
    ) -> Result<(StoredPlan, Option<Arc<Mirror>>), Failure> {
        let started = Instant::now();
        let scope = &job.scope;
        let obtained = self
            .fetcher
            .obtain(source, reference, job.cancelled())
            .await
            .map_err(|error| error.into_failure(job.attempts))?;
        let listing = obtained.listing;
        self.metrics.fetched(obtained.bytes, started.elapsed().as_secs_f64());
        tracing::info!(
            run_id = %scope.run, repository_id = %scope.repository, commit = %listing.commit, files = listing.files.len(),
            bytes = obtained.bytes, truncated = listing.truncated, duration_ms = started.elapsed().as_millis() as u64,
            "repository fetched and listed"
        );
        let snapshot = NewSnapshot {
            workspace: scope.workspace,
            repository: scope.repository,
            run: scope.run,
            analyser: scope.analyser.clone(),
            embedding_model: scope.embedding_model.clone(),
            git_ref: obtained.git_ref,
            commit: listing.commit,
            tree: listing.tree,
            committed_at: listing.committed_at,
            truncated: listing.truncated,
        };
        let files = entries(scope.repository, &listing.files);
        let plan = self.store.pin_snapshot(job.work, &snapshot, files, cut).await.map_err(store_failure)?;
        // Somebody else's plan may be of another commit.
        let mirror = (plan.commit == listing.commit).then_some(obtained.mirror);
        Ok((plan, mirror))
    }

    /// Sends the batches of a plan, one in memory at a time.
    async fn send(
        &self,
        job: &Job,
        scope: &Scope,
        source: &Source,
        plan: &StoredPlan,
        mirror: Option<Arc<Mirror>>,
    ) -> Result<(), Failure> {
        let failed = |error: CloneError| error.into_failure(job.attempts);
        let files = self.store.planned_files(scope.workspace, scope.run).await.map_err(store_failure)?;
        let mut mirror = match mirror {
            Some(mirror) => mirror,
            None => self.ensure(job, source, plan, false).await?,
        };
        let mut blobs = open(&mirror).await.map_err(failed)?;
        let mut fetched_again = false;
        job.progress(STAGE, 0, plan.totals.batches, "batches");
        for batch in files.chunk_by(|a, b| a.batch == b.batch) {
            if job.cancelled().is_cancelled() {
                return Err(failed(CloneError::Stopped));
            }
            let message = match read(Arc::clone(&blobs), batch.to_vec()).await {
                Err(CloneError::Damaged { problem }) if !fetched_again => {
                    tracing::warn!(run_id = %scope.run, problem, "mirror is damaged, fetching again");
                    fetched_again = true;
                    // Its lock goes with it.
                    drop((blobs, mirror));
                    mirror = self.ensure(job, source, plan, true).await?;
                    blobs = open(&mirror).await.map_err(failed)?;
                    read(Arc::clone(&blobs), batch.to_vec()).await
                }
                other => other,
            }
            .map_err(failed)?;
            let number = message.batch;
            job.publish(Outgoing::new(scope, message)).await?;
            self.metrics.sent(batch.len() as u64);
            job.progress(STAGE, number + 1, plan.totals.batches, "batches");
        }
        Ok(())
    }

    async fn ensure(&self, job: &Job, source: &Source, plan: &StoredPlan, anew: bool) -> Result<Arc<Mirror>, Failure> {
        self.fetcher
            .ensure(source, plan.commit, anew, job.cancelled())
            .await
            .map_err(|error| error.into_failure(job.attempts))
    }
}

async fn open(mirror: &Arc<Mirror>) -> Result<Arc<Blobs>, CloneError> {
    let mirror = Arc::clone(mirror);
    blocking(move || mirror.blobs(MAX_BATCH_BYTES).map(Arc::new)).await
}

/// Reads the files of one batch and encodes its message.
async fn read(blobs: Arc<Blobs>, files: Vec<PlannedFile>) -> Result<v1::FilesBatch, CloneError> {
    blocking(move || {
        let number = files.first().map_or(0, |file| file.batch);
        let reader = blobs.reader();
        let mut contents = Vec::with_capacity(files.len());
        for planned in files {
            let content = reader.read(planned.oid, planned.size)?;
            contents.push(BatchFile { planned, content });
        }
        encode(number, contents).map_err(|error| CloneError::Damaged { problem: format!("compress a batch: {error}") })
    })
    .await
}
