//! The messages that the embedder publishes.

use caffeine_bus::{Outgoing, Rejection};
use caffeine_contract::{Scope, v1};
use caffeine_store::embedder::{IndexState, Indexed};
use caffeine_store::fan_in::{FanIn, StageFailure};
use v1::run_transition::Transition;

/// The name of this stage in transitions and progress.
pub(crate) const STAGE: &str = "index";

/// What a run's state asks to be published: that it is indexed, that it will never be, or nothing yet.
pub(crate) fn of_state(scope: &Scope, state: &IndexState) -> Vec<Outgoing> {
    match (&state.fan_in.failure, &state.indexed) {
        (Some(failure), _) => vec![ready(scope, Some(failure))],
        (None, Some(indexed)) => vec![ready(scope, None), transitioned_to_indexed(scope, indexed)],
        (None, None) => Vec::new(),
    }
}

/// This stage has failed.
pub(crate) fn failed(scope: &Scope, fan_in: &FanIn, failure: &StageFailure) -> Vec<Outgoing> {
    let failed = v1::StageFailed { stage: STAGE.to_owned(), failure: Some(wire(failure)) };
    let at = fan_in.asked_at.timestamp_millis();
    vec![ready(scope, Some(failure)), transitioned(scope, at, Transition::Failed(failed))]
}

fn transitioned_to_indexed(scope: &Scope, indexed: &Indexed) -> Outgoing {
    let transition =
        Transition::Indexed(v1::Indexed { chunks: indexed.chunks, failed_batches: indexed.failed_batches });
    transitioned(scope, indexed.indexed_at.timestamp_millis(), transition)
}

fn ready(scope: &Scope, failure: Option<&StageFailure>) -> Outgoing {
    let phase = v1::Phase::Indexed.into();
    Outgoing::new(scope, v1::DocumentReady { scope: None, phase, failure: failure.map(wire) })
}

fn transitioned(scope: &Scope, occurred_at_ms: i64, transition: Transition) -> Outgoing {
    Outgoing::new(scope, v1::RunTransition { scope: None, occurred_at_ms, transition: Some(transition) })
}

/// A rejection as the reason of a failure.
pub(crate) fn stage_failure(rejection: &Rejection) -> StageFailure {
    StageFailure { code: rejection.code.clone(), reason: rejection.reason.clone() }
}

fn wire(failure: &StageFailure) -> v1::Failure {
    v1::Failure { code: failure.code.clone(), reason: failure.reason.clone() }
}
