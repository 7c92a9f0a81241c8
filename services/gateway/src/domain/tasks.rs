//! The pieces of work that a run consists of, read from the rows of its stages.

use std::collections::HashMap;

use caffeine_contract::Kind;
use caffeine_model::{DocumentState, RunId, WorkId};
use caffeine_store::gateway::{AttemptRow, BatchRow, LinkRow, PageWorkRow, RunDocumentRow};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What the rows say.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) run: RunId,
    pub(crate) has_ended: bool,
    pub(crate) batches: Vec<BatchRow>,
    pub(crate) link: Option<LinkRow>,
    pub(crate) documents: Vec<RunDocumentRow>,
    pub(crate) pages: Vec<PageWorkRow>,
    pub(crate) attempts: Vec<AttemptRow>,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) detail: String,
    pub(crate) attempts: u32,
    pub(crate) updated_at: Option<DateTime<Utc>>,
}

/// How often each piece of work was begun, and when something last became of it.
struct Attempts {
    run: RunId,
    by_work: HashMap<Uuid, AttemptRow>,
}

impl Attempts {
    /// Over all messages that the piece consists of.
    fn of(&self, messages: &[(Kind, &str)]) -> (u32, Option<DateTime<Utc>>) {
        let rows = messages.iter().filter_map(|(kind, key)| {
            let id = WorkId::derive(self.run, kind.spec().name, key);
            self.by_work.get(&id.as_uuid())
        });
        rows.fold((0, None), |(attempts, latest), row| {
            (attempts.max(row.attempts.unsigned_abs()), latest.max(Some(row.updated_at)))
        })
    }
}

/// Batches, the link step, documents and pages, each in order.
pub(crate) fn tasks(work: Work) -> Vec<Task> {
    let by_work = work.attempts.into_iter().map(|row| (row.work_id, row)).collect();
    let attempts = Attempts { run: work.run, by_work };
    // What nobody will work on any more was cancelled.
    let or_cancelled = |state: &'static str| {
        let is_open = matches!(state, "waiting" | "working");
        if work.has_ended && is_open { "cancelled" } else { state }
    };
    let mut tasks = Vec::new();
    for row in work.batches {
        let number = row.batch.to_string();
        let (count, updated_at) = attempts.of(&[(Kind::FilesBatch, &number), (Kind::ChunksBatch, &number)]);
        let failure = row.analyse_failure.or(row.index_failure);
        let state = match (&failure, row.analysed, row.indexed) {
            (Some(_), ..) => "failed",
            (None, true, true) => "done",
            (None, false, false) => "waiting",
            _ => "working",
        };
        let files = format!("{} {}", row.files, if row.files == 1 { "file" } else { "files" });
        tasks.push(Task {
            kind: "batch",
            name: format!("Batch {}", row.batch + 1),
            state: or_cancelled(state),
            detail: failure.unwrap_or(files),
            attempts: count,
            updated_at,
        });
    }
    let (count, updated_at) = attempts.of(&[(Kind::LinkRequested, "")]);
    // A clone that failed leaves its reason here, too, and nothing was to be linked.
    let was_asked = |link: &LinkRow| link.failure_reason.is_none() || count > 0;
    if let Some(link) = work.link.filter(was_asked) {
        let state = match (link.linked_at, &link.failure_reason) {
            (Some(_), _) => "done",
            (None, Some(_)) => "failed",
            (None, None) if count > 0 => "working",
            (None, None) => "waiting",
        };
        tasks.push(Task {
            kind: "link",
            name: "Link".to_owned(),
            state: or_cancelled(state),
            detail: link.failure_reason.unwrap_or_default(),
            attempts: count,
            updated_at: updated_at.or(link.linked_at),
        });
    }
    for row in work.documents {
        let (count, updated_at) = attempts.of(&[(Kind::DocumentRequested, &row.id.to_string())]);
        let state = match row.state {
            DocumentState::Requested => "waiting",
            DocumentState::Writing => "working",
            DocumentState::Completed | DocumentState::CompletedWithErrors => "done",
            DocumentState::Failed => "failed",
            DocumentState::Cancelled => "cancelled",
        };
        let pages = match (row.pages, row.failed_pages) {
            (Some(pages), Some(failed)) if failed > 0 => format!("{pages} pages, {failed} of them failed"),
            (Some(pages), _) => format!("{pages} pages"),
            (None, _) => String::new(),
        };
        tasks.push(Task {
            kind: "document",
            name: row.title,
            state: or_cancelled(state),
            detail: row.failure_reason.unwrap_or(pages),
            attempts: count,
            updated_at,
        });
    }
    for row in work.pages {
        let key = format!("{}/{}", row.document_id, row.slug);
        let (count, updated_at) = attempts.of(&[(Kind::PageRequested, &key)]);
        let state = match row.state.as_str() {
            "published" => "done",
            "failed" => "failed",
            _ if count > 0 => "working",
            _ => "waiting",
        };
        tasks.push(Task {
            kind: "page",
            name: row.title,
            state: or_cancelled(state),
            detail: row.failure_reason.unwrap_or(row.slug),
            attempts: count,
            updated_at,
        });
    }
    tasks
}

#[cfg(test)]
mod tests {
    use caffeine_model::{RunId, WorkId};
    use caffeine_store::gateway::{AttemptRow, BatchRow, LinkRow, PageWorkRow};
    use chrono::DateTime;
    use uuid::Uuid;

    use super::{Work, tasks};

    fn batch(batch: i32, analysed: bool, indexed: bool, failure: Option<&str>) -> BatchRow {
        let analyse_failure = failure.map(str::to_owned);
        BatchRow { batch, files: 2, analysed, analyse_failure, indexed, index_failure: None }
    }

    #[test]
    fn states_and_attempts() {
        let run = RunId::generate();
        let at = DateTime::from_timestamp(7, 0).unwrap();
        let document_id = Uuid::from_u128(1);
        let attempt = |kind: &str, key: &str, attempts| AttemptRow {
            work_id: WorkId::derive(run, kind, key).as_uuid(),
            attempts,
            updated_at: at,
        };
        let page = |slug: &str, state: &str| PageWorkRow {
            document_id,
            slug: slug.to_owned(),
            title: slug.to_owned(),
            state: state.to_owned(),
            failure_reason: None,
        };
        let work = Work {
            run,
            has_ended: false,
            batches: vec![
                batch(0, true, true, None),
                batch(1, true, false, None),
                batch(2, false, false, None),
                batch(3, true, false, Some("No.")),
            ],
            link: Some(LinkRow { linked_at: None, failure_reason: None }),
            documents: Vec::new(),
            pages: vec![page("a", "published"), page("b", "requested"), page("c", "requested")],
            attempts: vec![
                attempt("files.batch", "0", 1),
                attempt("chunks.batch", "0", 3),
                attempt("page.requested", &format!("{document_id}/b"), 2),
            ],
        };
        let states = |work: Work| -> Vec<(&'static str, u32)> {
            tasks(work).into_iter().map(|task| (task.state, task.attempts)).collect()
        };
        let expected = [
            ("done", 3),
            ("working", 0),
            ("waiting", 0),
            ("failed", 0),
            ("waiting", 0),
            ("done", 0),
            ("working", 2),
            ("waiting", 0),
        ];
        assert_eq!(states(work.clone()), expected);
        let ended: Vec<_> = states(Work { has_ended: true, ..work }).into_iter().map(|(state, _)| state).collect();
        assert_eq!(ended[1..3], ["cancelled", "cancelled"]);
        assert_eq!((ended[0], ended[3]), ("done", "failed"));
    }
}
