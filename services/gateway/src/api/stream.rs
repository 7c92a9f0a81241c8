//! The events of a run as a stream: rows first, then what happens, never more than a page of rows in memory.

use std::collections::VecDeque;
use std::time::Duration;

use caffeine_contract::v1;
use caffeine_model::{RunId, WorkspaceId};
use caffeine_store::gateway::EventRow;
use caffeine_store::{Store, StoreError};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use poem::web::sse::Event;
use poem_openapi::Object;
use poem_openapi::payload::EventStream;
use poem_openapi::types::ToJSON;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use super::problem::ApiError;
use crate::identity::Principal;
use crate::live::Latest;
use crate::streams::Stream;

/// Rows that are read at once.
const PAGE: i64 = 100;
/// When rows are read again after they could not be.
const RETRY: Duration = Duration::from_secs(5);
/// A stage's progress is sent at most this often; of what it says in between, the newest.
const PROGRESS: Duration = Duration::from_millis(250);
/// A comment goes out this often, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Something that happened to a run.
#[derive(Debug, Clone, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct RunEvent {
    /// `transition`, `progress` or `end`.
    event: String,
    /// Its place in the run, from 1; of a transition.
    sequence: Option<u64>,
    /// Names the fact (`planned`, `document_completed/…`); of a transition.
    transition: Option<String>,
    /// When, by the clock of the stage; of a transition.
    occurred_at: Option<DateTime<Utc>>,
    /// What the stage said; of a transition.
    payload: Option<serde_json::Value>,
    /// `clone`, `analyse`, `index` or `write`; of progress.
    stage: Option<String>,
    /// How much is done; of progress.
    done: Option<u32>,
    /// Of how much; of progress, once known.
    total: Option<u32>,
    /// `batches` or `pages`; of progress.
    unit: Option<String>,
    /// The run's last state; of the end.
    state: Option<String>,
}

impl RunEvent {
    fn of(event: &str) -> Self {
        Self {
            event: event.to_owned(),
            sequence: None,
            transition: None,
            occurred_at: None,
            payload: None,
            stage: None,
            done: None,
            total: None,
            unit: None,
            state: None,
        }
    }

    fn transition(row: EventRow) -> Self {
        Self {
            sequence: Some(row.sequence),
            transition: Some(row.transition),
            occurred_at: Some(row.occurred_at),
            payload: Some(row.payload),
            ..Self::of("transition")
        }
    }

    fn progress(progress: &v1::StageProgress) -> Self {
        Self {
            stage: Some(progress.stage.clone()),
            done: Some(progress.done),
            total: (progress.total > 0).then_some(progress.total),
            unit: Some(progress.unit.clone()),
            ..Self::of("progress")
        }
    }

    fn to_sse(&self) -> Event {
        let event = Event::message(self.to_json_string()).event_type(self.event.clone());
        match self.sequence {
            Some(sequence) => event.id(sequence.to_string()),
            None => event,
        }
    }
}

/// The stream as an answer, with the headers that keep proxies from holding it back.
pub(crate) fn response(events: BoxStream<'static, RunEvent>) -> EventStream<BoxStream<'static, RunEvent>> {
    EventStream::new(events).keep_alive(HEARTBEAT).to_event(|event: RunEvent| event.to_sse())
}

/// The events of a run after a sequence. Nothing is read before the client reads.
///
/// # Errors
/// If whoever asks has too many streams open.
pub(crate) fn follow(
    app: &App,
    who: &Principal,
    run: RunId,
    after: u64,
) -> Result<BoxStream<'static, RunEvent>, ApiError> {
    let Some(stream) = app.streams.open(who) else {
        let detail = format!("You have {} event streams open, as many as may be. Close one.", app.streams.limit());
        return Err(ApiError::too_many("too_many_streams", detail));
    };
    let follower = Follower {
        store: app.store.clone(),
        // Before the first look at the rows, so that nothing falls between.
        latest: app.live.follow(run),
        stream,
        stop: app.stop.clone(),
        workspace: who.workspace,
        run,
        after,
        ready: VecDeque::new(),
        look: true,
        looked_for: 0,
        ended: false,
        said: None,
        has_progress: false,
        quiet_until: Instant::now(),
    };
    let events = futures::stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((event, follower))
    });
    Ok(events.boxed())
}

struct Follower {
    store: Store,
    latest: watch::Receiver<Latest>,
    /// Its place among the open ones.
    stream: Stream,
    stop: CancellationToken,
    workspace: WorkspaceId,
    run: RunId,
    /// The last sequence that was handed out.
    after: u64,
    /// Events that were read and not handed out: at most a page.
    ready: VecDeque<RunEvent>,
    /// There may be new rows.
    look: bool,
    /// The sequence that rows were last read for.
    looked_for: u64,
    /// The end was handed out.
    ended: bool,
    /// What stages have said up to here was handed out, or said before this stream began to wait.
    said: Option<u64>,
    /// Stages have said more since, which waits for `quiet_until`.
    has_progress: bool,
    quiet_until: Instant,
}

impl Follower {
    async fn next(&mut self) -> Option<RunEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended || self.stop.is_cancelled() || self.stream.has_ended() {
                return None;
            }
            if !self.look {
                self.wait().await;
                continue;
            }
            match self.read().await {
                Ok(true) => {}
                // The run was deleted.
                Ok(false) => return None,
                Err(error) => {
                    tracing::warn!(run_id = %self.run, error = %error, "events cannot be read");
                    tokio::select! {
                        () = self.stop.cancelled() => {}
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
            }
        }
    }

    /// Reads a page of rows, and the end if there are no more. `false` if the run is gone.
    async fn read(&mut self) -> Result<bool, StoreError> {
        let _permit = self.stream.may_read().await;
        // The state first: what it says has happened is in the rows read after it.
        let Some(run) = self.store.run(self.workspace, self.run).await? else {
            return Ok(false);
        };
        let rows = self.store.run_events(self.workspace, self.run, self.after, PAGE).await?;
        self.look = rows.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        if let Some(last) = rows.last() {
            self.after = last.sequence;
        }
        self.ready.extend(rows.into_iter().map(RunEvent::transition));
        if run.state.is_terminal() && !self.look {
            self.ready.push_back(RunEvent { state: Some(run.state.to_string()), ..RunEvent::of("end") });
            self.ended = true;
        }
        Ok(true)
    }

    /// Waits until there is something to hand out or to look at.
    async fn wait(&mut self) {
        self.take();
        if self.look || !self.ready.is_empty() {
            return;
        }
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.stream.ended() => {}
            // A feed is there as long as somebody follows it.
            _ = self.latest.changed() => {}
            () = tokio::time::sleep_until(self.quiet_until), if self.has_progress => {}
        }
    }

    /// Takes what is new from the feed.
    fn take(&mut self) {
        let latest = self.latest.borrow_and_update();
        self.look = latest.sequence > self.after.max(self.looked_for) || latest.is_over;
        self.looked_for = latest.sequence;
        let said = *self.said.get_or_insert(latest.said);
        self.has_progress = latest.said > said;
        let now = Instant::now();
        if self.has_progress && now >= self.quiet_until {
            self.ready.extend(latest.progress_after(said).map(RunEvent::progress));
            self.said = Some(latest.said);
            self.has_progress = false;
            self.quiet_until = now + PROGRESS;
        }
    }
}
