//! The dead letters as an operator sees them: listed, shown, sent again, dropped. Administrative rights only.

use std::time::Duration;

use bytes::Bytes;
use caffeine_contract::{Kind, Scope, Stream, headers, v1};
use caffeine_model::{Generation, Lane, WorkspaceId};

use crate::headers::set;
use crate::reaper::again;
use crate::stored::Stored;
use crate::{Bus, BusError, Outgoing, PublishError};

/// A message that nobody wanted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number: the sequence in the stream of dead letters.
    pub id: u64,
    /// When it was written, since 1970-01-01 UTC.
    pub at: Duration,
    /// The durable that rejected it.
    pub stage: String,
    /// Whose it is, as its subject says; `None` if that was not known.
    pub workspace: Option<WorkspaceId>,
    /// Its headers by name, each with its first value.
    pub headers: Vec<(String, String)>,
    /// What it was, if its headers are readable.
    pub kind: Option<Kind>,
    /// Whose run it belongs to, if its headers are readable.
    pub scope: Option<Scope>,
    /// Tells it apart from its siblings in the run.
    pub key: Option<String>,
    /// A stable word for why.
    pub code: String,
    /// Why, one sentence.
    pub reason: String,
    /// How often it had been delivered.
    pub delivered: u64,
    /// The original bytes.
    pub body: Bytes,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only those of this durable.
    pub stage: Option<String>,
    /// Only those of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only those with this code.
    pub code: Option<String>,
    /// Only those of this run.
    pub run: Option<caffeine_model::RunId>,
}

/// What became of a dead letter that was to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery {
    /// Its run is working: the message is on its way again, in the next generation.
    Sent,
    /// Its run has ended: a new run of the same ref was asked for.
    FollowedByRun,
    /// Its headers do not say what it was or whose: it can only be dropped.
    Unreadable,
    /// There is no room for it now: try later.
    NoRoom,
}

impl DeadLetterFilter {
    fn takes(&self, letter: &DeadLetter) -> bool {
        self.code.as_ref().is_none_or(|code| *code == letter.code)
            && self.run.is_none_or(|run| letter.scope.as_ref().is_some_and(|scope| scope.run == run))
    }
}

impl DeadLetter {
    fn read(stored: &Stored) -> Self {
        let envelope = stored.envelope();
        let text = |name| stored.header(name).unwrap_or_default().to_owned();
        let mut place = stored.subject.split(".dead.").nth(1).unwrap_or_default().split('.');
        let (stage, workspace) = (place.next(), place.next());
        let named = stored.headers.iter();
        let mut headers: Vec<(String, String)> = named
            .filter_map(|(name, values)| values.first().map(|value| (name.to_string(), value.as_str().to_owned())))
            .collect();
        headers.sort_unstable();
        Self {
            id: stored.sequence,
            at: stored.at,
            stage: stage.unwrap_or_default().to_owned(),
            workspace: workspace.and_then(|text| text.parse().ok()),
            headers,
            kind: envelope.kind,
            scope: envelope.scope,
            key: envelope.key,
            code: text(headers::DEAD_CODE),
            reason: text(headers::DEAD_REASON),
            delivered: stored.number(headers::DEAD_DELIVERED).unwrap_or_default(),
            body: stored.body.clone(),
        }
    }
}

impl Bus {
    /// Up to `limit` dead letters from number `from` on, the oldest first.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        from: u64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BusError> {
        let stage = filter.stage.as_deref().unwrap_or("*");
        let subject = match filter.workspace {
            Some(workspace) => self.subjects.dead_letters_in(stage, workspace),
            None => self.subjects.dead_letters_of(stage),
        };
        let (mut letters, mut next) = (Vec::new(), from.max(1));
        while letters.len() < limit
            && let Some(stored) = self.next_stored(Stream::Dead, &subject, next).await?
        {
            next = stored.sequence + 1;
            let letter = DeadLetter::read(&stored);
            if filter.takes(&letter) {
                letters.push(letter);
            }
        }
        Ok(letters)
    }

    /// One dead letter; `None` if there is no such number.
    ///
    /// # Errors
    /// If the broker cannot be asked.
    pub async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>, BusError> {
        Ok(self.stored(Stream::Dead, id).await?.as_ref().map(DeadLetter::read))
    }

    /// Removes a dead letter for good.
    ///
    /// # Errors
    /// If the broker refuses.
    pub async fn drop_dead_letter(&self, id: u64) -> Result<(), BusError> {
        self.remove_stored(Stream::Dead, id).await
    }

    /// Sends a dead letter again and removes it: into its run if that is working, else by asking for a new run, whose
    /// plan sends what is not known. `None` if there is no such number.
    ///
    /// # Errors
    /// If the broker refuses; a repeat is harmless.
    pub async fn redeliver(&self, id: u64, run_is_over: bool) -> Result<Option<Redelivery>, BusError> {
        let Some(stored) = self.stored(Stream::Dead, id).await? else { return Ok(None) };
        let sent =
            if run_is_over { self.ask_for_another_run(&stored).await } else { self.send_into_run(&stored).await };
        match sent {
            Ok(outcome @ (Redelivery::Sent | Redelivery::FollowedByRun)) => {
                self.remove_stored(Stream::Dead, id).await?;
                Ok(Some(outcome))
            }
            Ok(outcome) => Ok(Some(outcome)),
            Err(PublishError::Full { .. }) => Ok(Some(Redelivery::NoRoom)),
            Err(error) => Err(BusError::broker(format!("send dead letter {id} again"), error)),
        }
    }

    async fn send_into_run(&self, stored: &Stored) -> Result<Redelivery, PublishError> {
        let Some(mut letter) = again(stored, &stored.envelope()) else { return Ok(Redelivery::Unreadable) };
        set(&mut letter.headers, headers::REDELIVERED, "1");
        self.store(letter.subject, letter.stream, letter.headers, letter.body).await?;
        Ok(Redelivery::Sent)
    }

    async fn ask_for_another_run(&self, stored: &Stored) -> Result<Redelivery, PublishError> {
        let Some(scope) = stored.envelope().scope else { return Ok(Redelivery::Unreadable) };
        let reason = format!("dead letter {} was sent again after the end of the run", stored.sequence);
        self.ask_again(&scope, scope.generation.next(), reason, true).await?;
        Ok(Redelivery::FollowedByRun)
    }

    /// Tells the gateway to publish again what began a run, in a generation, or to follow it by a new one if it has
    /// ended and `follow_ended` is set. Repeats of the same generation are one.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn ask_again(
        &self,
        scope: &Scope,
        generation: Generation,
        reason: String,
        follow_ended: bool,
    ) -> Result<(), PublishError> {
        let scope = Scope { generation, lane: Lane::Interactive, ..scope.clone() };
        let again = v1::AskedAgain { generation: generation.0, reason, follow_ended };
        let transition = v1::RunTransition {
            scope: None,
            // The gateway's clock stands in: this is nobody's stage.
            occurred_at_ms: i64::MAX,
            transition: Some(v1::run_transition::Transition::AskedAgain(again)),
        };
        self.try_publish(&Outgoing::new(&scope, transition)).await
    }
}
