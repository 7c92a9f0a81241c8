//! The messages of the cloner, built from what it knows.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use caffeine_bus::{Outgoing, Rejection};
use caffeine_contract::v1::run_transition::Transition;
use caffeine_contract::{Scope, v1};
use caffeine_store::cloner::StoredPlan;

/// The stage's word in transitions and progress.
pub(crate) const STAGE: &str = "clone";

pub(crate) fn transition(scope: &Scope, transition: Transition) -> Outgoing {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Outgoing::new(
        scope,
        v1::RunTransition {
            scope: None,
            occurred_at_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
            transition: Some(transition),
        },
    )
}

pub(crate) fn planned(plan: &StoredPlan) -> Transition {
    let totals = plan.totals;
    Transition::Planned(v1::Planned {
        commit: Bytes::copy_from_slice(plan.commit.as_bytes()),
        r#ref: plan.git_ref.clone(),
        files: totals.files,
        known: totals.known,
        skipped: totals.skipped,
        sent: totals.files.saturating_sub(totals.known).saturating_sub(totals.skipped),
        batches: totals.batches,
        bytes: totals.bytes,
    })
}

/// What both readers of the run wait for: how many batches there are, or why there are none.
pub(crate) fn listed(scope: &Scope, batches: u32, failure: Option<v1::Failure>) -> [Outgoing; 2] {
    [
        Outgoing::new(scope, v1::FilesListed { scope: None, batches, failure: failure.clone() }),
        Outgoing::new(scope, v1::ChunksListed { scope: None, batches, failure }),
    ]
}

pub(crate) fn failure(rejection: &Rejection) -> v1::Failure {
    v1::Failure { code: rejection.code.clone(), reason: rejection.reason.clone() }
}
