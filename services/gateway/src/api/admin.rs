//! What waits on the broker, and what nobody wanted.

use std::collections::BTreeMap;
use std::time::Duration;

use caffeine_bus::{Bus, BusError, ConsumerLevel, DeadLetter as Letter, DeadLetterFilter, Levels, PublishError};
use caffeine_contract::{Command, Decision};
use caffeine_model::Lane;
use caffeine_store::gateway::Entry;
use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Auth, Principal};
use super::list::Limit;
use super::{ApiError, App, Tag};
use crate::domain::letter;

/// A broker that is well answers within milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// The longest and the usual page of dead letters: each is read whole.
const MAX_LIMIT: u32 = 100;
const DEFAULT_LIMIT: u32 = 25;

pub(crate) struct AdminApi {
    pub(crate) app: App,
}

/// What waits for a stage, or is worked on, in one lane.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Queue {
    /// `cloner`, `chunker`, `linker`, ….
    stage: String,
    /// Where the messages lie.
    stream: String,
    /// The reader on the broker: the stage, and its lane if it has two.
    durable: String,
    /// Messages that nobody has yet.
    waiting: u64,
    /// Messages that somebody works on, or that come again after a delay.
    in_flight: u64,
    /// Of those: not delivered for the first time.
    redelivered: u64,
    /// How long the oldest message that is not done lies there; absent if there is none.
    oldest_age_seconds: Option<f64>,
    /// Messages in the stream, of both lanes.
    stored_messages: u64,
    /// Their bytes.
    stored_bytes: u64,
    /// The most bytes that the stream takes; absent if it has no limit.
    limit_bytes: Option<u64>,
}

/// What waits on the broker, of the whole installation.
#[derive(Debug, Object)]
struct QueueList {
    /// In the order of the pipeline.
    items: Vec<Queue>,
}

/// A message that nobody wanted.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct DeadLetter {
    /// Its number.
    dead_letter: u64,
    /// Who rejected it: `cloner`, `chunker`, ….
    stage: String,
    /// What it was (`files.batch`); absent if it cannot be told.
    message: Option<String>,
    /// Why, one sentence.
    reason: String,
    /// A stable word for why.
    code: String,
    /// How often it had been delivered.
    attempts: u64,
    /// The run that it belongs to, if it can be told.
    run: Option<Uuid>,
    /// Its repository, if it can be told.
    repository: Option<Uuid>,
    died_at: DateTime<Utc>,
    /// Size of its body.
    bytes: u64,
    /// Only of a single letter.
    headers: Option<BTreeMap<String, String>>,
    /// What it says, only of a single letter and if it can be decoded; contents of files are counted, not shown.
    body: Option<Value>,
}

/// A page of dead letters.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct DeadLetterList {
    /// The oldest first.
    items: Vec<DeadLetter>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

/// What was decided about a dead letter.
#[derive(Debug, Object)]
struct Settlement {
    dead_letter: u64,
    /// `redelivering` or `dropping`.
    status: String,
}

#[derive(ApiResponse)]
enum SettleResponse {
    /// The housekeeper does it, within seconds if it is there and the broker has room.
    #[oai(status = 202)]
    Accepted(Json<Settlement>),
}

#[OpenApi(prefix_path = "/api/v1/admin", tag = "Tag::Operation")]
impl AdminApi {
    /// List the queues
    ///
    /// Of the whole installation: workspaces share them.
    #[oai(path = "/queues", method = "get", operation_id = "list_queues")]
    async fn queues(&self, _auth: Auth) -> Result<Json<QueueList>, ApiError> {
        let levels = asked(self.app.bus.levels()).await?;
        Ok(Json(QueueList { items: levels.consumers.iter().map(|level| queue(&levels, level)).collect() }))
    }

    /// List dead letters
    ///
    /// Those of the workspace, the oldest first.
    #[oai(path = "/dead-letters", method = "get", operation_id = "list_dead_letters")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 100; 25 if absent.
        limit: Query<Option<Limit<MAX_LIMIT>>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeadLetterList>, ApiError> {
        let limit = Limit::or(limit.0, DEFAULT_LIMIT)?;
        let from: u64 = cursor.0.as_deref().unwrap_or("1").parse().map_err(|_| {
            ApiError::bad_request("bad_cursor", "`cursor` is none of ours. Use `next_cursor` of the page before.")
        })?;
        let filter = DeadLetterFilter { workspace: Some(auth.0.workspace), ..DeadLetterFilter::default() };
        let limit = usize::try_from(limit).unwrap_or(1);
        let mut letters = asked(self.app.bus.dead_letters(&filter, from, limit + 1)).await?;
        let next_cursor = letters.get(limit).map(|letter| letter.id.to_string());
        letters.truncate(limit);
        Ok(Json(DeadLetterList { items: letters.iter().map(DeadLetter::from).collect(), next_cursor }))
    }

    /// Get a dead letter
    ///
    /// With its headers and what it says.
    #[oai(path = "/dead-letters/:letter", method = "get", operation_id = "get_dead_letter")]
    async fn get(&self, auth: Auth, letter: Path<u64>) -> Result<Json<DeadLetter>, ApiError> {
        let letter = self.find(&auth.0, letter.0).await?;
        Ok(Json(DeadLetter {
            headers: Some(letter.headers.iter().cloned().collect()),
            body: letter.kind.and_then(|kind| letter::body(kind, &letter.body)),
            ..DeadLetter::from(&letter)
        }))
    }

    /// Send a dead letter again
    ///
    /// Into its run if that still works; else a new run of the repository is asked for. Then the letter is removed. It
    /// takes no `Idempotency-Key`: a letter is sent once and is then gone, so a repeat does nothing more.
    #[oai(path = "/dead-letters/:letter/redeliver", method = "post", operation_id = "redeliver_dead_letter")]
    async fn redeliver(&self, auth: Auth, letter: Path<u64>) -> Result<SettleResponse, ApiError> {
        let letter = self.find(&auth.0, letter.0).await?;
        if letter.scope.is_none() || letter.kind.is_none() {
            let detail = "Its headers do not say what it was or whose, so it cannot be sent again. Drop it.";
            return Err(ApiError::conflict("dead_letter_unreadable", detail));
        }
        self.settle(&auth.0, &letter, Decision::Redeliver).await
    }

    /// Drop a dead letter
    ///
    /// It cannot be taken back.
    #[oai(path = "/dead-letters/:letter", method = "delete", operation_id = "drop_dead_letter")]
    async fn discard(&self, auth: Auth, letter: Path<u64>) -> Result<SettleResponse, ApiError> {
        let letter = self.find(&auth.0, letter.0).await?;
        self.settle(&auth.0, &letter, Decision::Drop).await
    }
}

impl AdminApi {
    /// A letter of the principal's workspace.
    async fn find(&self, who: &Principal, id: u64) -> Result<Letter, ApiError> {
        let found = if id == 0 { None } else { asked(self.app.bus.dead_letter(id)).await? };
        found.filter(|letter| letter.workspace == Some(who.workspace)).ok_or_else(|| ApiError::not_found("dead letter"))
    }

    async fn settle(&self, who: &Principal, letter: &Letter, decision: Decision) -> Result<SettleResponse, ApiError> {
        let command = Command::SettleDeadLetter {
            workspace: who.workspace,
            letter: letter.id,
            stored_at_ms: i64::try_from(letter.at.as_millis()).unwrap_or(i64::MAX),
            decision,
        };
        let action = match decision {
            Decision::Redeliver => "dead_letter.redelivered",
            Decision::Drop => "dead_letter.deleted",
        };
        let entry = Entry {
            action,
            object_kind: "dead_letter",
            object_id: letter.id.to_string(),
            detail: json!({ "stage": letter.stage, "code": letter.code }),
        };
        // The log first: what is not in it is not done, and what cannot be said after it is asked for again.
        self.app.store.record(&who.actor(), entry).await?;
        command_now(&self.app.bus, &command).await?;
        let status = match decision {
            Decision::Redeliver => "redelivering",
            Decision::Drop => "dropping",
        };
        tracing::info!(letter = letter.id, status, user_id = %who.user, "dead letter decided about");
        Ok(SettleResponse::Accepted(Json(Settlement { dead_letter: letter.id, status: status.to_owned() })))
    }
}

impl From<&Letter> for DeadLetter {
    fn from(letter: &Letter) -> Self {
        let millis = i64::try_from(letter.at.as_millis()).unwrap_or_default();
        Self {
            dead_letter: letter.id,
            stage: letter.stage.clone(),
            message: letter.kind.map(|kind| kind.spec().name.to_owned()),
            reason: letter.reason.clone(),
            code: letter.code.clone(),
            attempts: letter.delivered,
            run: letter.scope.as_ref().map(|scope| scope.run.as_uuid()),
            repository: letter.scope.as_ref().map(|scope| scope.repository.as_uuid()),
            died_at: DateTime::from_timestamp_millis(millis).unwrap_or_default(),
            bytes: letter.body.len() as u64,
            headers: None,
            body: None,
        }
    }
}

fn queue(levels: &Levels, level: &ConsumerLevel) -> Queue {
    let stream = levels.streams.iter().find(|stream| stream.stream == level.stream);
    let siblings = levels.consumers.iter().filter(|other| other.stage == level.stage).count();
    let durable = match (siblings, level.lane) {
        (1, _) => level.stage.to_owned(),
        (_, Lane::Interactive) => format!("{}-i", level.stage),
        (_, Lane::Bulk) => format!("{}-b", level.stage),
    };
    Queue {
        stage: level.stage.to_owned(),
        stream: level.stream.to_owned(),
        durable,
        waiting: level.waiting,
        in_flight: level.in_flight,
        redelivered: level.redelivered,
        oldest_age_seconds: level.oldest.map(|age| age.as_secs_f64()),
        stored_messages: stream.map_or(0, |stream| stream.messages),
        stored_bytes: stream.map_or(0, |stream| stream.bytes),
        limit_bytes: stream.and_then(|stream| stream.limit_bytes),
    }
}

/// What the broker answers, if it does.
async fn asked<T>(question: impl Future<Output = Result<T, BusError>>) -> Result<T, ApiError> {
    match tokio::time::timeout(ANSWER_WITHIN, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ApiError::broker_away(&error)),
        Err(silence) => Err(ApiError::broker_away(&silence)),
    }
}

async fn command_now(bus: &Bus, command: &Command) -> Result<(), ApiError> {
    bus.command(command).await.map_err(|error: PublishError| ApiError::broker_away(&error))
}
