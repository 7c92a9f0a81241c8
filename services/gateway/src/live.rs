//! What happens to runs, handed to the open streams of this pod.
//!
//! Each run that somebody follows has one feed with the newest of everything: how far its rows go, whether it is over, how
//! far each stage is. A reader that falls behind finds the newest when it looks, so a slow one holds nothing up and nothing
//! is kept for it. One question every five seconds asks for all followed runs at once; a stream by itself asks nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use caffeine_bus::Bus;
use caffeine_contract::v1;
use caffeine_model::RunId;
use caffeine_store::Store;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// How many answers to tests of connections a slow reader may fall behind.
const PROBES: usize = 64;
const RETRY: Duration = Duration::from_secs(5);
/// Rows are looked at this often, whatever the bus says.
const POLL: Duration = Duration::from_secs(5);
/// There are four stages; whoever says more is not listened to.
const MAX_STAGES: usize = 16;

/// The newest that is known about a run.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    /// Rows go up to this sequence at least.
    pub(crate) sequence: u64,
    /// The run has ended or was deleted.
    pub(crate) is_over: bool,
    /// Counts what stages have said.
    pub(crate) said: u64,
    /// The last word of each stage, and which one it was.
    stages: Vec<(u64, v1::StageProgress)>,
}

impl Latest {
    /// What stages have said after this count.
    pub(crate) fn progress_after(&self, said: u64) -> impl Iterator<Item = &v1::StageProgress> {
        self.stages.iter().filter(move |(count, _)| *count > said).map(|(_, progress)| progress)
    }

    fn hear(&mut self, progress: v1::StageProgress) {
        let known = self.stages.iter().position(|(_, before)| before.stage == progress.stage);
        if known.is_none() && self.stages.len() == MAX_STAGES {
            return;
        }
        // The last one to speak is the last in the list.
        known.map(|place| self.stages.remove(place));
        self.said += 1;
        self.stages.push((self.said, progress));
    }

    /// Whether this was news.
    fn raise(&mut self, sequence: u64, is_over: bool) -> bool {
        let is_news = sequence > self.sequence || is_over && !self.is_over;
        self.sequence = self.sequence.max(sequence);
        self.is_over |= is_over;
        is_news
    }
}

type Feeds = HashMap<RunId, watch::Sender<Latest>>;

/// Hands out feeds.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    feeds: Arc<Mutex<Feeds>>,
    probes: broadcast::Sender<v1::ProbeAnswered>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { feeds: Arc::default(), probes: broadcast::Sender::new(PROBES) }
    }

    /// Everything about a run from now on.
    pub(crate) fn follow(&self, run: RunId) -> watch::Receiver<Latest> {
        self.feeds().entry(run).or_default().subscribe()
    }

    /// Answers to tests of connections from now on, to anybody's.
    pub(crate) fn subscribe_to_probes(&self) -> broadcast::Receiver<v1::ProbeAnswered> {
        self.probes.subscribe()
    }

    /// Feeds the feeds until `shutdown`. Without the broker, readers live on the rows.
    pub(crate) async fn run(self, bus: Bus, store: Store, shutdown: CancellationToken) {
        tokio::join!(self.listen(&bus, &shutdown), self.look(&store, &shutdown));
    }

    async fn listen(&self, bus: &Bus, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match bus.events().await {
                Ok(mut receiver) => loop {
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        received = receiver.next() => self.forward(received.scope.run, received.event),
                    }
                },
                Err(error) => tracing::warn!(error = %error, "events cannot be received"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    fn forward(&self, run: RunId, event: v1::Event) {
        let event = match event.event {
            Some(v1::event::Event::ProbeAnswered(answered)) => {
                // An error only says that nobody listens.
                let _ = self.probes.send(answered);
                return;
            }
            Some(event) => event,
            None => return,
        };
        let feeds = self.feeds();
        let Some(feed) = feeds.get(&run) else { return };
        match event {
            v1::event::Event::Progress(progress) => feed.send_modify(|latest| latest.hear(progress)),
            v1::event::Event::RunChanged(changed) => {
                feed.send_if_modified(|latest| latest.raise(changed.sequence, false));
            }
            v1::event::Event::ProbeAnswered(_) => {}
        }
    }

    /// Asks the rows of all followed runs how far they are.
    async fn look(&self, store: &Store, shutdown: &CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
            let runs = self.followed();
            if runs.is_empty() {
                continue;
            }
            match store.run_marks(&runs).await {
                Ok(marks) => {
                    let marks: HashMap<RunId, (u64, bool)> =
                        marks.into_iter().map(|mark| (mark.run, (mark.sequence, mark.state.is_terminal()))).collect();
                    let feeds = self.feeds();
                    for run in runs {
                        // One that has no row any more was deleted.
                        let (sequence, is_over) = marks.get(&run).copied().unwrap_or((0, true));
                        if let Some(feed) = feeds.get(&run) {
                            feed.send_if_modified(|latest| latest.raise(sequence, is_over));
                        }
                    }
                }
                Err(error) => tracing::warn!(error = %error, "followed runs cannot be looked at"),
            }
        }
    }

    /// The runs that somebody follows. The others' feeds go.
    fn followed(&self) -> Vec<RunId> {
        let mut feeds = self.feeds();
        feeds.retain(|_, feed| feed.receiver_count() > 0);
        feeds.keys().copied().collect()
    }

    fn feeds(&self) -> MutexGuard<'_, Feeds> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use caffeine_contract::v1;
    use caffeine_model::RunId;
    use uuid::Uuid;

    use super::{Latest, Live, MAX_STAGES};

    fn progress(stage: &str, done: u32) -> v1::StageProgress {
        v1::StageProgress { stage: stage.to_owned(), done, total: 9, unit: "batches".to_owned() }
    }

    fn said(latest: &Latest, after: u64) -> Vec<(&str, u32)> {
        latest.progress_after(after).map(|progress| (progress.stage.as_str(), progress.done)).collect()
    }

    #[test]
    fn only_the_last_word_of_each_stage_is_kept() {
        let mut latest = Latest::default();
        for done in 1..=1_000 {
            latest.hear(progress("analyse", done));
        }
        latest.hear(progress("index", 1));
        assert_eq!(said(&latest, 0), [("analyse", 1_000), ("index", 1)]);
        assert_eq!(said(&latest, 1_000), [("index", 1)], "who has seen the first sees the second");
        latest.hear(progress("analyse", 1_001));
        assert_eq!(said(&latest, 1_000), [("index", 1), ("analyse", 1_001)]);
        for odd in 0..100 {
            latest.hear(progress(&odd.to_string(), 1));
        }
        assert_eq!(said(&latest, 0).len(), MAX_STAGES);
    }

    #[test]
    fn rows_only_go_up_and_what_is_over_stays_over() {
        let mut latest = Latest::default();
        assert!(!latest.raise(0, false), "nothing has happened yet");
        assert!(latest.raise(3, false));
        assert!(!latest.raise(2, false), "an old word says nothing");
        assert!(latest.raise(0, true), "deleted");
        assert!(!latest.raise(3, false));
        assert_eq!((latest.sequence, latest.is_over), (3, true));
    }

    #[test]
    fn a_feed_is_there_as_long_as_somebody_follows() {
        let live = Live::new();
        let run = RunId::from_uuid(Uuid::from_u128(7));
        let (one, other) = (live.follow(run), live.follow(run));
        drop(one);
        assert_eq!(live.followed(), [run]);
        live.forward(
            run,
            v1::Event { scope: None, event: Some(v1::event::Event::RunChanged(v1::RunChanged { sequence: 4 })) },
        );
        assert_eq!(other.borrow().sequence, 4);
        drop(other);
        assert!(live.followed().is_empty() && live.feeds().is_empty());
    }
}
