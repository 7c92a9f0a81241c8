//! What must hold after every fault.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt as _;

use crate::faults::report::Verdict;
use crate::faults::world::{DEADLINE, Run, WITH_MODEL, World, until};

/// How long the streams may take to be empty after the last run has ended.
const DRAINED_WITHIN: Duration = Duration::from_secs(20);

/// What a row expects beside the usual.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Runs that were disturbed on purpose and need not complete.
    pub(crate) victims: Vec<&'static str>,
    /// Dead letters that the row caused on purpose.
    pub(crate) dead: u64,
    /// Faults after which a page may have to be paid for once more.
    pub(crate) faults: usize,
}

/// What the broker still holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) messages: BTreeMap<String, u64>,
    pub(crate) unacknowledged: usize,
    pub(crate) undelivered: u64,
}

impl Left {
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl World {
    /// Asks everything that must hold, for runs of which none was to fail.
    pub(crate) async fn verdict(&mut self, runs: &[Run]) -> Verdict {
        self.verdict_but(runs, &Expected::default()).await
    }

    /// The same after faults that may have cut off a call of the model.
    pub(crate) async fn verdict_after(&mut self, faults: usize, runs: &[Run]) -> Verdict {
        self.verdict_but(runs, &Expected { faults, ..Expected::default() }).await
    }

    /// Asks everything that must hold.
    pub(crate) async fn verdict_but(&mut self, runs: &[Run], expected: &Expected) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.all_final(runs, DEADLINE).await {
            let states = self.states(runs).await;
            let left = self.left().await;
            verdict.stuck(format!("{runs:?} are {states:?} after {DEADLINE:?}; the broker holds {left:?}"));
            return verdict;
        }
        // What the last fault left behind may still be on its way, and every message must have been settled.
        if !until(DRAINED_WITHIN, async || self.left().await.is_some_and(|left| left.is_nothing())).await {
            verdict.stuck(format!("the broker still holds {:?}", self.left().await));
        }
        self.disarm();
        for run in runs.iter().filter(|run| !expected.victims.contains(&run.name)) {
            compare(run, World::undisturbed(run.name), &self.dump(run).await, &mut verdict);
        }
        let sound: Vec<Run> = runs.iter().filter(|run| !expected.victims.contains(&run.name)).cloned().collect();
        let completed = self.number(
            "SELECT count(*) FROM run_events WHERE run_id = ANY($1) AND transition LIKE 'document_completed/%'",
            &sound,
        );
        let (completed, documents) =
            (completed.await, self.number("SELECT count(*) FROM run_documents WHERE run_id = ANY($1)", &sound).await);
        if completed != documents {
            verdict.lost(format!("{completed} completions of {documents} documents"));
        }
        let calls = self.model.calls().await;
        let pages = runs.iter().filter(|run| run.name == WITH_MODEL).count();
        if calls > pages + expected.faults {
            verdict.doubled(format!("the model was asked {calls} times for {pages} pages"));
        }
        let dead = self.dead_letters().await;
        if dead != self.dead + expected.dead {
            let (before, wanted) = (self.dead, expected.dead);
            let letters = self.last_dead(5).await;
            let note = format!("{} dead letters instead of {wanted}: {letters:?}", dead - before);
            if dead > before + wanted { verdict.lost(note) } else { verdict.doubled(note) }
        }
        self.dead = dead;
        verdict
    }

    /// What the work streams and their consumers hold; `None` while the broker does not answer.
    pub(crate) async fn left(&self) -> Option<Left> {
        tokio::time::timeout(Duration::from_secs(5), self.ask_left()).await.ok()?
    }

    async fn ask_left(&self) -> Option<Left> {
        let jetstream = self.stack.bus.jetstream();
        let streams: Vec<async_nats::jetstream::stream::Info> = jetstream.streams().try_collect().await.ok()?;
        let mut left = Left::default();
        for info in streams {
            if info.config.retention != async_nats::jetstream::stream::RetentionPolicy::WorkQueue {
                continue;
            }
            if info.state.messages > 0 {
                left.messages.insert(info.config.name.clone(), info.state.messages);
            }
            let stream = jetstream.get_stream(&info.config.name).await.ok()?;
            let consumers: Vec<async_nats::jetstream::consumer::Info> = stream.consumers().try_collect().await.ok()?;
            for consumer in consumers {
                left.unacknowledged += consumer.num_ack_pending;
                left.undelivered += consumer.num_pending;
            }
        }
        Some(left)
    }

    /// How many dead letters there are.
    pub(crate) async fn dead_letters(&self) -> u64 {
        let name = format!("{}_DEAD", self.stack.bus.prefix());
        let stream = self.stack.bus.jetstream().get_stream(name).await.expect("the dead-letter stream is there");
        stream.cached_info().state.messages
    }

    /// Why the last messages were buried.
    pub(crate) async fn last_dead(&self, count: u64) -> Vec<String> {
        let name = format!("{}_DEAD", self.stack.bus.prefix());
        let stream = self.stack.bus.jetstream().get_stream(name).await.expect("the dead-letter stream is there");
        let last = stream.cached_info().state.last_sequence;
        let mut letters = Vec::new();
        for sequence in last.saturating_sub(count) + 1..=last {
            if let Ok(message) = stream.get_raw_message(sequence).await {
                let header = |name: &str| message.headers.get(name).map(ToString::to_string).unwrap_or_default();
                letters.push(format!(
                    "{} {} {}",
                    message.subject,
                    header("Caffeine-Dead-Code"),
                    header("Caffeine-Dead-Reason")
                ));
            }
        }
        letters
    }
}

/// Compares the rows of a run with those of an undisturbed one.
fn compare(run: &Run, expected: &str, found: &str, verdict: &mut Verdict) {
    // That the sweeper had to ask again is told to readers, and is no result.
    let found: Vec<&str> = found.lines().filter(|line| !line.contains("\"asked_again/")).collect();
    if expected.lines().eq(found.iter().copied()) {
        return;
    }
    let mut lines: BTreeMap<&str, i64> = BTreeMap::new();
    for line in expected.lines() {
        *lines.entry(line).or_default() += 1;
    }
    for line in found {
        *lines.entry(line).or_default() -= 1;
    }
    let first = |of: fn(i64) -> bool| lines.iter().find(|(_, count)| of(**count)).map(|(line, _)| shortened(line));
    let (missing, extra) = (first(|count| count > 0), first(|count| count < 0));
    if missing.is_none() && extra.is_none() {
        verdict.require(false, || format!("{}: the rows have another order", run.name));
    }
    if let Some(line) = missing {
        verdict.lost(format!("{} {} lacks {line}", run.name, run.id));
    }
    if let Some(line) = extra {
        verdict.doubled(format!("{} {} has besides {line}", run.name, run.id));
    }
}

fn shortened(line: &str) -> String {
    line.chars().take(300).collect()
}
