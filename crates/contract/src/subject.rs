//! The grammar of subjects and of stream names.
//!
//! ```text
//! [<prefix>.]caffeine.v1.<stage>.<verb>.<lane>.<workspace>.<repository>     work
//! [<prefix>.]caffeine.v1.state.<workspace>.<run>                            transitions
//! [<prefix>.]caffeine.v1.event.<workspace>.<run>.<kind>                     progress
//! [<prefix>.]caffeine.v1.control.<verb>.<id>                                commands
//! [<prefix>.]caffeine.v1.dead.<stage>.<workspace>.<repository>              dead letters
//! ```

use caffeine_model::{Lane, RepositoryId, RunId, WorkspaceId};

use crate::scope::Scope;
use crate::table::{ConsumerSpec, Kind, MESSAGES, Stream, StreamSpec};

/// Makes every name on the broker, behind an optional prefix that isolates installations and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    prefix: String,
}

impl Subjects {
    /// `prefix` is empty or one subject token of letters, digits and `_`; other characters are dropped.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect() }
    }

    fn root(&self) -> String {
        if self.prefix.is_empty() { "caffeine.v1".to_owned() } else { format!("{}.caffeine.v1", self.prefix) }
    }

    /// Name of a stream (`FILES`, or `PREFIX_FILES`).
    #[must_use]
    pub fn stream(&self, stream: Stream) -> String {
        let name = stream.spec().name;
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}_{name}", self.prefix) }
    }

    /// The subjects that a stream stores.
    #[must_use]
    pub fn stored(&self, spec: &StreamSpec) -> Vec<String> {
        spec.subjects.iter().map(|pattern| format!("{}.{pattern}", self.root())).collect()
    }

    /// Where a work message goes, whatever its lane and whosever it is.
    #[must_use]
    pub fn any_work(&self, kind: Kind) -> String {
        format!("{}.{}.>", self.root(), kind.spec().name)
    }

    /// Where dead letters of a durable go, whosever they are.
    #[must_use]
    pub fn any_dead(&self, stage: &str) -> String {
        format!("{}.dead.{stage}.>", self.root())
    }

    /// Name of a durable in a lane (`chunker-i`); without lanes, `lane` is ignored.
    #[must_use]
    pub fn durable(spec: &ConsumerSpec, lane: Lane) -> String {
        match (spec.laned, lane) {
            (false, _) => spec.durable.to_owned(),
            (true, Lane::Interactive) => format!("{}-i", spec.durable),
            (true, Lane::Bulk) => format!("{}-b", spec.durable),
        }
    }

    /// What a durable reads in a lane.
    #[must_use]
    pub fn filters(&self, spec: &ConsumerSpec, lane: Lane) -> Vec<String> {
        MESSAGES
            .iter()
            .filter(|row| row.reader == Some(spec.consumer))
            .map(|row| match (row.kind, spec.laned) {
                (Kind::RunTransition, _) => format!("{}.state.>", self.root()),
                (_, true) => format!("{}.{}.{lane}.>", self.root(), row.name),
                (_, false) => format!("{}.{}.>", self.root(), row.name),
            })
            .collect()
    }

    /// Where a work message goes.
    #[must_use]
    pub fn work(&self, kind: Kind, scope: &Scope) -> String {
        match kind {
            Kind::RunTransition => self.transitions(scope.workspace, scope.run),
            _ => {
                format!("{}.{}.{}.{}.{}", self.root(), kind.spec().name, scope.lane, scope.workspace, scope.repository)
            }
        }
    }

    /// Every work message of a repository.
    #[must_use]
    pub fn work_of(&self, workspace: WorkspaceId, repository: RepositoryId) -> String {
        format!("{}.*.*.*.{workspace}.{repository}", self.root())
    }

    /// Every transition of a run.
    #[must_use]
    pub fn transitions(&self, workspace: WorkspaceId, run: RunId) -> String {
        format!("{}.state.{workspace}.{run}", self.root())
    }

    /// All dead letters of a repository.
    #[must_use]
    pub fn dead_of(&self, workspace: WorkspaceId, repository: RepositoryId) -> String {
        format!("{}.dead.*.{workspace}.{repository}", self.root())
    }

    /// Where progress of a run goes.
    #[must_use]
    pub fn event(&self, workspace: WorkspaceId, run: RunId, kind: &str) -> String {
        format!("{}.event.{workspace}.{run}.{kind}", self.root())
    }

    /// Every event.
    #[must_use]
    pub fn events(&self) -> String {
        format!("{}.event.>", self.root())
    }

    /// Where a command goes; `id` is what it is about, so that only the last one per thing is kept.
    #[must_use]
    pub fn control(&self, verb: &str, id: &str) -> String {
        format!("{}.control.{verb}.{id}", self.root())
    }

    /// Where a dead letter of a durable goes. `workspace` and `repository` come from headers and may be unknown.
    #[must_use]
    pub fn dead(&self, stage: &str, workspace: &str, repository: &str) -> String {
        format!("{}.dead.{stage}.{}.{}", self.root(), token(workspace), token(repository))
    }

    /// Every dead letter of a durable; of all of them if `stage` is `*`.
    #[must_use]
    pub fn dead_letters_of(&self, stage: &str) -> String {
        format!("{}.dead.{stage}.>", self.root())
    }

    /// Every dead letter of a durable in a workspace; of all durables if `stage` is `*`.
    #[must_use]
    pub fn dead_letters_in(&self, stage: &str, workspace: WorkspaceId) -> String {
        format!("{}.dead.{stage}.{workspace}.>", self.root())
    }
}

/// One subject token made of foreign text.
fn token(text: &str) -> &str {
    let clean = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if clean { text } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use caffeine_model::{Generation, Lane, RepositoryId, RunId, WorkspaceId};

    use super::Subjects;
    use crate::scope::Scope;
    use crate::table::{CONSUMERS, Consumer, Kind, MESSAGES, Stream};

    fn scope() -> Scope {
        Scope {
            workspace: WorkspaceId::generate(),
            repository: RepositoryId::generate(),
            run: RunId::generate(),
            generation: Generation(0),
            lane: Lane::Bulk,
            analyser: "a".to_owned(),
            embedding_model: "m".to_owned(),
        }
    }

    /// NATS matching for patterns that end in `>`.
    fn matches(pattern: &str, subject: &str) -> bool {
        pattern.strip_suffix('>').is_some_and(|head| subject.starts_with(head) && subject.len() > head.len())
    }

    #[test]
    fn every_message_is_stored_once_and_read_once() {
        let scope = scope();
        for subjects in [Subjects::new(""), Subjects::new("t1")] {
            for message in MESSAGES {
                let subject = subjects.work(message.kind, &scope);
                let stored = crate::table::STREAMS
                    .iter()
                    .filter(|spec| subjects.stored(spec).iter().any(|pattern| matches(pattern, &subject)))
                    .count();
                assert_eq!(stored, 1, "{subject}");
                let readers = CONSUMERS
                    .iter()
                    .flat_map(|spec| {
                        let lanes = if spec.laned { &Lane::ALL[..] } else { &Lane::ALL[..1] };
                        lanes.iter().flat_map(|lane| subjects.filters(spec, *lane))
                    })
                    .filter(|pattern| matches(pattern, &subject))
                    .count();
                assert_eq!(readers, 1, "{subject}");
            }
        }
    }

    #[test]
    fn names() {
        let scope = scope();
        let subjects = Subjects::new("t1.>*");
        assert_eq!(subjects.stream(Stream::Files), "t1_FILES");
        assert_eq!(
            subjects.work(Kind::FilesBatch, &scope),
            format!("t1.caffeine.v1.files.batch.bulk.{}.{}", scope.workspace, scope.repository)
        );
        assert_eq!(Subjects::durable(Consumer::Chunker.spec(), Lane::Interactive), "chunker-i");
        assert_eq!(Subjects::durable(Consumer::Cloner.spec(), Lane::Bulk), "cloner");
        assert!(subjects.dead("chunker", "a.b", "").ends_with("dead.chunker.unknown.unknown"));
    }
}
