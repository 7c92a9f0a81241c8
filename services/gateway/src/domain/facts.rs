//! What a transition says: the change it makes, and the words in which readers see it.

use caffeine_contract::{DecodeError, Message, Scope, oid_field, transition_key, uuid_field, v1};
use caffeine_model::{DocumentId, Generation, RunId, RunState, WorkspaceId};
use caffeine_store::gateway::{Change, Fact, FailureText};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use v1::run_transition::Transition;

use super::announce::cancel_command;

/// The longest sentence about a failure, in characters. Part of it can be foreign text.
const MAX_REASON: usize = 2_000;

/// The payload of a run event. Each transition fills the fields that it knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
    pub(crate) reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) batches: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) symbols: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edges: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) modules: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chunks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed_batches: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pages: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed_pages: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// Reads a transition. `now` stands in for a time that makes no sense.
///
/// # Errors
/// If a part of the message is missing or malformed.
pub(crate) fn read(scope: &Scope, message: &v1::RunTransition, now: DateTime<Utc>) -> Result<Fact, DecodeError> {
    let transition = message.transition.as_ref().ok_or(DecodeError::Missing("transition"))?;
    let (change, facts) = interpret(scope, transition)?;
    Ok(Fact {
        workspace: scope.workspace,
        run: scope.run,
        transition: message.key(),
        occurred_at: DateTime::from_timestamp_millis(message.occurred_at_ms).unwrap_or(now),
        payload: serde_json::to_value(&facts).unwrap_or_default(),
        change,
    })
}

/// A person ends a run.
pub(crate) fn cancelled(workspace: WorkspaceId, run: RunId, now: DateTime<Utc>) -> Fact {
    Fact {
        workspace,
        run,
        transition: transition_key(&Transition::Cancelled(v1::RunCancelled {})),
        occurred_at: now,
        payload: serde_json::to_value(Facts::default()).unwrap_or_default(),
        change: Change::Cancelled { command: cancel_command(workspace, run) },
    }
}

fn interpret(scope: &Scope, transition: &Transition) -> Result<(Change, Facts), DecodeError> {
    let none = Facts::default();
    Ok(match transition {
        Transition::CloneStarted(_) => (Change::Reached(RunState::Cloning), none),
        Transition::Planned(planned) => {
            let commit = oid_field(&planned.commit)?;
            let facts = Facts {
                commit: Some(commit.to_string()),
                reference: Some(text(&planned.r#ref)),
                files: Some(planned.files),
                known: Some(planned.known),
                skipped: Some(planned.skipped),
                sent: Some(planned.sent),
                batches: Some(planned.batches),
                bytes: Some(planned.bytes),
                ..none
            };
            (Change::Planned { commit }, facts)
        }
        Transition::Cloned(_) => (Change::Reached(RunState::Cloned), none),
        Transition::Analysed(analysed) => {
            let facts = Facts {
                files: Some(analysed.files),
                skipped: Some(analysed.skipped),
                symbols: Some(analysed.symbols),
                edges: Some(analysed.edges),
                modules: Some(analysed.modules),
                failed_batches: Some(analysed.failed_batches),
                ..none
            };
            (Change::Reached(RunState::Analysed), facts)
        }
        Transition::Indexed(indexed) => {
            let facts = Facts { chunks: Some(indexed.chunks), failed_batches: Some(indexed.failed_batches), ..none };
            (Change::Reached(RunState::Indexed), facts)
        }
        Transition::DocumentPlanned(planned) => {
            let document = document(&planned.document_id)?;
            let facts = Facts { document_id: Some(document.to_string()), pages: Some(planned.pages), ..none };
            (Change::DocumentPlanned { document, pages: planned.pages }, facts)
        }
        Transition::DocumentCompleted(done) => {
            let document = document(&done.document_id)?;
            let failure = done.failure.as_ref().map(failure);
            let facts = Facts {
                document_id: Some(document.to_string()),
                pages: Some(done.pages),
                failed_pages: Some(done.failed_pages),
                code: failure.as_ref().map(|failure| failure.code.clone()),
                reason: failure.as_ref().map(|failure| failure.reason.clone()),
                ..none
            };
            let change =
                Change::DocumentCompleted { document, pages: done.pages, failed_pages: done.failed_pages, failure };
            (change, facts)
        }
        Transition::Failed(failed) => {
            let failure = failed.failure.as_ref().map_or_else(unexplained, failure);
            let facts = Facts {
                stage: Some(text(&failed.stage)),
                code: Some(failure.code.clone()),
                reason: Some(failure.reason.clone()),
                ..none
            };
            // A document that cannot be written ends by its own transition; the run goes on.
            let change = if failed.stage == "write" { Change::Noted } else { Change::Failed(failure) };
            (change, facts)
        }
        Transition::Cancelled(_) => (Change::Cancelled { command: cancel_command(scope.workspace, scope.run) }, none),
        Transition::VersionGone(_) => {
            let failure = version_gone(scope);
            let facts = Facts { code: Some(failure.code.clone()), reason: Some(failure.reason.clone()), ..none };
            (Change::VersionGone { command: cancel_command(scope.workspace, scope.run), failure }, facts)
        }
        Transition::AskedAgain(again) => {
            let generation = Generation(again.generation);
            let facts = Facts { reason: Some(text(&again.reason)), ..none };
            (Change::AskedAgain { generation, follow_ended: again.follow_ended }, facts)
        }
    })
}

fn document(bytes: &[u8]) -> Result<DocumentId, DecodeError> {
    Ok(DocumentId::from_uuid(uuid_field("document_id", bytes)?))
}

fn failure(failure: &v1::Failure) -> FailureText {
    FailureText { code: text(&failure.code), reason: text(&failure.reason) }
}

fn version_gone(scope: &Scope) -> FailureText {
    let reason = format!(
        "No pod works with analyser {} and embedding model {} any more, to which the run was fixed when it began.",
        text(&scope.analyser),
        text(&scope.embedding_model)
    );
    FailureText { code: "version_gone".to_owned(), reason }
}

fn unexplained() -> FailureText {
    FailureText { code: "unexplained".to_owned(), reason: "The stage failed without saying why.".to_owned() }
}

/// Foreign text in a form that PostgreSQL stores and people can read.
fn text(foreign: &str) -> String {
    foreign.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use caffeine_contract::{Scope, v1};
    use caffeine_model::{Generation, Lane, RepositoryId, RunId, RunState, WorkspaceId};
    use caffeine_store::gateway::Change;
    use chrono::DateTime;
    use v1::run_transition::Transition;

    use super::read;

    fn fact(transition: Option<Transition>) -> Result<caffeine_store::gateway::Fact, caffeine_contract::DecodeError> {
        let scope = Scope {
            workspace: WorkspaceId::generate(),
            repository: RepositoryId::generate(),
            run: RunId::generate(),
            generation: Generation(0),
            lane: Lane::Bulk,
            analyser: String::new(),
            embedding_model: String::new(),
        };
        read(&scope, &v1::RunTransition { scope: None, occurred_at_ms: i64::MAX, transition }, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_failed_stage_ends_the_run_but_for_writing() {
        for (stage, ends) in [("clone", true), ("analyse", true), ("index", true), ("write", false)] {
            let failure = Some(v1::Failure { code: "c".to_owned(), reason: "a\0b\nc".to_owned() });
            let fact = fact(Some(Transition::Failed(v1::StageFailed { stage: stage.to_owned(), failure }))).unwrap();
            assert_eq!(matches!(fact.change, Change::Failed(_)), ends, "{stage}");
            assert_eq!(fact.transition, format!("failed/{stage}"));
            assert_eq!(fact.payload["reason"], "a b c");
        }
    }

    #[test]
    fn payloads_hold_what_is_known_and_nothing_else() {
        let started = fact(Some(Transition::CloneStarted(v1::CloneStarted {}))).unwrap();
        assert_eq!(started.payload, serde_json::json!({}));
        assert_eq!(started.change, Change::Reached(RunState::Cloning));
        assert_eq!(started.occurred_at, DateTime::UNIX_EPOCH, "a time out of range is replaced");
        let planned = v1::Planned { commit: vec![1; 20].into(), files: 3, sent: 2, ..Default::default() };
        let planned = fact(Some(Transition::Planned(planned))).unwrap();
        assert_eq!(planned.payload["commit"], "01".repeat(20));
        assert_eq!((&planned.payload["files"], &planned.payload["known"]), (&3.into(), &0.into()));
        assert!(planned.payload.get("symbols").is_none());
    }

    #[test]
    fn malformed_messages_are_named() {
        assert!(fact(None).is_err());
        assert!(fact(Some(Transition::Planned(v1::Planned::default()))).is_err());
        assert!(fact(Some(Transition::DocumentPlanned(v1::DocumentPlanned::default()))).is_err());
    }
}
