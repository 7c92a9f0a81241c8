//! What the doc-writer publishes. The same facts give the same messages.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use caffeine_bus::Outgoing;
use caffeine_contract::v1::run_transition::Transition;
use caffeine_contract::{Scope, id_bytes, v1};
use caffeine_model::{DocumentId, DocumentState};
use caffeine_store::doc_writer::PageOutcome;

/// Milliseconds since 1970-01-01 UTC, passed in so that tests decide it.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

fn transition(scope: &Scope, clock: &Clock, transition: Transition) -> Outgoing {
    let message = v1::RunTransition { scope: None, occurred_at_ms: clock(), transition: Some(transition) };
    Outgoing::new(scope, message)
}

/// The document has pages to be written.
pub(crate) fn planned(scope: &Scope, clock: &Clock, document: DocumentId, pages: usize) -> Outgoing {
    let pages = u32::try_from(pages).unwrap_or(u32::MAX);
    let planned = v1::DocumentPlanned { document_id: id_bytes(document.as_uuid()), pages };
    transition(scope, clock, Transition::DocumentPlanned(planned))
}

/// The document ended without any page.
pub(crate) fn failed(scope: &Scope, clock: &Clock, document: DocumentId, code: &str, reason: &str) -> Outgoing {
    let completed = v1::DocumentCompleted {
        document_id: id_bytes(document.as_uuid()),
        pages: 0,
        failed_pages: 0,
        failure: Some(v1::Failure { code: code.to_owned(), reason: reason.to_owned() }),
    };
    transition(scope, clock, Transition::DocumentCompleted(completed))
}

/// The document ended, if this was its last page.
pub(crate) fn completed(scope: &Scope, clock: &Clock, document: DocumentId, outcome: &PageOutcome) -> Option<Outgoing> {
    let state = outcome.ended?;
    let failure = (state == DocumentState::Failed).then(|| v1::Failure {
        code: "no_page_written".to_owned(),
        reason: outcome.notice.clone().unwrap_or_else(|| "No page of the document could be written.".to_owned()),
    });
    let completed = v1::DocumentCompleted {
        document_id: id_bytes(document.as_uuid()),
        pages: outcome.total,
        failed_pages: outcome.failed,
        failure,
    };
    Some(transition(scope, clock, Transition::DocumentCompleted(completed)))
}

/// A page is to be written.
pub(crate) fn page_requested(scope: &Scope, document: DocumentId, slug: &str) -> Outgoing {
    let message = v1::PageRequested { scope: None, document_id: id_bytes(document.as_uuid()), slug: slug.to_owned() };
    Outgoing::new(scope, message)
}
