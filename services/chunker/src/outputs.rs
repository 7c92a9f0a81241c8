//! The messages that the chunker publishes.

use bytes::Bytes;
use caffeine_bus::{Outgoing, Rejection};
use caffeine_contract::{Scope, v1};
use caffeine_store::chunker::Linked;
use caffeine_store::fan_in::{FanIn, StageFailure};
use v1::run_transition::Transition;

use crate::pack::Packed;

/// The name of this stage in transitions and progress.
pub(crate) const STAGE: &str = "analyse";

/// The chunks of a batch, under the batch's number.
pub(crate) fn chunks(scope: &Scope, batch: u32, packed: Packed) -> Outgoing {
    Outgoing::new(
        scope,
        v1::ChunksBatch { scope: None, batch, chunks: packed.bytes, raw_bytes: packed.raw_bytes, failure: None },
    )
}

/// There will be no chunks of this batch.
pub(crate) fn failed_chunks(scope: &Scope, batch: u32, failure: &StageFailure) -> Outgoing {
    Outgoing::new(
        scope,
        v1::ChunksBatch { scope: None, batch, chunks: Bytes::new(), raw_bytes: 0, failure: Some(wire(failure)) },
    )
}

/// The request to link, if every batch is in.
pub(crate) fn link_if_complete(scope: &Scope, fan_in: &FanIn) -> Option<Outgoing> {
    fan_in.is_complete().then(|| Outgoing::new(scope, v1::LinkRequested { scope: None }))
}

/// The snapshot is linked: documents may be planned.
pub(crate) fn analysed(scope: &Scope, linked: &Linked) -> Vec<Outgoing> {
    let transition = Transition::Analysed(v1::Analysed {
        files: linked.files,
        skipped: linked.skipped,
        symbols: linked.symbols,
        edges: linked.edges,
        modules: linked.modules,
        failed_batches: linked.failed_batches,
    });
    vec![ready(scope, None), transitioned(scope, linked.linked_at.timestamp_millis(), transition)]
}

/// Documents need not wait for the analysis: the stage before has failed and said so.
pub(crate) fn not_analysed(scope: &Scope, failure: &StageFailure) -> Vec<Outgoing> {
    vec![ready(scope, Some(failure))]
}

/// This stage has failed.
pub(crate) fn failed(scope: &Scope, fan_in: &FanIn, failure: &StageFailure) -> Vec<Outgoing> {
    let transition = Transition::Failed(v1::StageFailed { stage: STAGE.to_owned(), failure: Some(wire(failure)) });
    vec![ready(scope, Some(failure)), transitioned(scope, fan_in.asked_at.timestamp_millis(), transition)]
}

fn ready(scope: &Scope, failure: Option<&StageFailure>) -> Outgoing {
    let phase = v1::Phase::Analysed.into();
    Outgoing::new(scope, v1::DocumentReady { scope: None, phase, failure: failure.map(wire) })
}

fn transitioned(scope: &Scope, occurred_at_ms: i64, transition: Transition) -> Outgoing {
    Outgoing::new(scope, v1::RunTransition { scope: None, occurred_at_ms, transition: Some(transition) })
}

/// A rejection as the reason of a stage's failure.
pub(crate) fn stage_failure(rejection: &Rejection) -> StageFailure {
    StageFailure { code: rejection.code.clone(), reason: rejection.reason.clone() }
}

fn wire(failure: &StageFailure) -> v1::Failure {
    v1::Failure { code: failure.code.clone(), reason: failure.reason.clone() }
}
