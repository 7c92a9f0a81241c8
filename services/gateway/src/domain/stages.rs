//! What each stage of a run did and how long it took, read from the run's events.

use caffeine_store::gateway::EventRow;
use chrono::{DateTime, Utc};

use super::facts::Facts;

/// A stage: when it began and ended by its own clock, and its facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Stage {
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) facts: Facts,
}

impl Stage {
    /// How long it took; `None` while it runs. Clocks of different pods may disagree, so never below zero.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let (start, end) = (self.started_at?, self.ended_at?);
        Some((end - start).as_seconds_f64().max(0.0))
    }
}

/// The stages of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Stages {
    /// From the first look at the remote to the last batch sent.
    pub(crate) clone: Stage,
    /// From the plan to the linked snapshot.
    pub(crate) analyse: Stage,
    /// From the plan to the last vector.
    pub(crate) index: Stage,
    /// From the first planned document to the last one that ended, over all documents.
    pub(crate) write: Stage,
}

/// Reads the stages from a run's events.
pub(crate) fn stages(events: &[EventRow]) -> Stages {
    let mut stages = Stages::default();
    for event in events {
        let facts: Facts = serde_json::from_value(event.payload.clone()).unwrap_or_default();
        let at = event.occurred_at;
        match event.transition.split('/').next().unwrap_or_default() {
            "clone_started" => stages.clone.started_at = Some(at),
            "planned" => {
                stages.analyse.started_at = Some(at);
                stages.index.started_at = Some(at);
                stages.clone.facts = facts;
            }
            "cloned" => stages.clone.ended_at = Some(at),
            "analysed" => {
                stages.analyse.ended_at = Some(at);
                stages.analyse.facts = facts;
            }
            "indexed" => {
                stages.index.ended_at = Some(at);
                stages.index.facts = facts;
            }
            "document_planned" => {
                let earliest = stages.write.started_at.map_or(at, |known| known.min(at));
                stages.write.started_at = Some(earliest);
            }
            "document_completed" => {
                let latest = stages.write.ended_at.map_or(at, |known| known.max(at));
                let total = &mut stages.write;
                total.ended_at = Some(latest);
                total.facts.pages = sum(total.facts.pages, facts.pages);
                total.facts.failed_pages = sum(total.facts.failed_pages, facts.failed_pages);
            }
            _ => {}
        }
    }
    stages
}

fn sum(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use caffeine_store::gateway::EventRow;
    use chrono::DateTime;
    use serde_json::json;

    use super::stages;

    fn event(transition: &str, second: i64, payload: serde_json::Value) -> EventRow {
        let occurred_at = DateTime::from_timestamp(second, 0).unwrap();
        EventRow { sequence: 1, transition: transition.to_owned(), occurred_at, payload }
    }

    #[test]
    fn durations_and_facts() {
        let stages = stages(&[
            event("clone_started", 10, json!({})),
            event("planned", 12, json!({"files": 5, "sent": 4})),
            event("cloned", 15, json!({})),
            event("indexed", 20, json!({"chunks": 9})),
            event("analysed", 18, json!({"symbols": 7})),
            event("document_planned/b", 31, json!({"pages": 2})),
            event("document_planned/a", 30, json!({"pages": 3})),
            event("document_completed/b", 35, json!({"pages": 2, "failed_pages": 1})),
            event("document_completed/a", 34, json!({"pages": 3})),
            event("anything_new", 99, json!({"files": "no number"})),
        ]);
        assert_eq!(stages.clone.seconds(), Some(5.0));
        assert_eq!(stages.clone.facts.files, Some(5));
        assert_eq!(stages.analyse.seconds(), Some(6.0));
        assert_eq!(stages.analyse.facts.symbols, Some(7));
        assert_eq!(stages.index.seconds(), Some(8.0));
        assert_eq!(stages.index.facts.chunks, Some(9));
        assert_eq!(stages.write.seconds(), Some(5.0));
        assert_eq!((stages.write.facts.pages, stages.write.facts.failed_pages), (Some(5), Some(1)));
    }

    #[test]
    fn a_running_stage_has_no_duration_and_clocks_may_disagree() {
        let running = stages(&[event("clone_started", 10, json!({}))]);
        assert_eq!(running.clone.seconds(), None);
        let skewed = stages(&[event("clone_started", 10, json!({})), event("cloned", 9, json!({}))]);
        assert_eq!(skewed.clone.seconds(), Some(0.0));
    }
}
