//! All runs of the workspace, asking for one again, and the pieces of work that one consists of.

use caffeine_model::{RunId, RunState};
use caffeine_store::gateway::{Again, Retried};
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::auth::Auth;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::repositories::run_error;
use super::runs::{RunPage, StartResponse};
use super::runs_view::Run;
use super::{ApiError, App, Tag};
use crate::domain::announce::announce;
use crate::domain::tasks::{self, Task as Found};
use crate::domain::{cursor, tasks::Work};

/// How many pieces of each kind are answered.
const MAX_TASKS: i64 = 5_000;

pub(crate) struct RunWorkApi {
    pub(crate) app: App,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum StateFilter {
    Queued,
    Pending,
    Cloning,
    Cloned,
    Analysed,
    Indexed,
    Completed,
    CompletedWithErrors,
    Failed,
    Cancelled,
    Superseded,
}

/// A piece of work of a run.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Task {
    /// `batch` (files that are analysed and embedded together), `link`, `document` or `page`.
    kind: String,
    name: String,
    /// `waiting`, `working`, `done`, `failed` or `cancelled`.
    state: String,
    /// How much it is, or why it failed.
    detail: String,
    /// How often it was begun.
    attempts: u32,
    /// When something last became of it.
    updated_at: Option<DateTime<Utc>>,
}

/// What a run consists of.
#[derive(Debug, Object)]
struct TaskList {
    items: Vec<Task>,
}

impl From<StateFilter> for RunState {
    fn from(filter: StateFilter) -> Self {
        match filter {
            StateFilter::Queued => Self::Queued,
            StateFilter::Pending => Self::Pending,
            StateFilter::Cloning => Self::Cloning,
            StateFilter::Cloned => Self::Cloned,
            StateFilter::Analysed => Self::Analysed,
            StateFilter::Indexed => Self::Indexed,
            StateFilter::Completed => Self::Completed,
            StateFilter::CompletedWithErrors => Self::CompletedWithErrors,
            StateFilter::Failed => Self::Failed,
            StateFilter::Cancelled => Self::Cancelled,
            StateFilter::Superseded => Self::Superseded,
        }
    }
}

impl From<Found> for Task {
    fn from(found: Found) -> Self {
        Self {
            kind: found.kind.to_owned(),
            name: found.name,
            state: found.state.to_owned(),
            detail: found.detail,
            attempts: found.attempts,
            updated_at: found.updated_at,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Runs")]
impl RunWorkApi {
    /// List all runs
    ///
    /// Of every repository, newest first.
    #[oai(path = "/runs", method = "get", operation_id = "list_all_runs")]
    async fn list(
        &self,
        auth: Auth,
        /// Only those that are this far.
        state: Query<Option<StateFilter>>,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RunPage>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let state = state.0.map(RunState::from);
        let page = self.app.store.workspace_runs(auth.0.workspace, state, after, limit).await?;
        Ok(Json(RunPage {
            items: page.items.into_iter().map(Run::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Ask for a run again
    ///
    /// A new run of the repository's present commit that writes the same documents, with the same versions of their
    /// templates. Only of a run that has ended.
    #[oai(path = "/runs/:run/retry", method = "post", operation_id = "retry_run")]
    async fn retry(
        &self,
        auth: Auth,
        run: Path<Uuid>,
        /// A repeat of the request with the same key within a day starts nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Result<StartResponse, ApiError> {
        let id = RunId::from_uuid(run.0);
        let once = once(&auth.0, &idempotency_key, "retry_run", &[run.0], &None::<String>)?;
        let again = Again { run: id, versions: &self.app.versions, announce: &announce, now: Utc::now() };
        let retried = self.app.store.retry_run(&auth.0.actor(), again, once.as_ref()).await;
        let created = match retried.map_err(run_error)? {
            Retried::Gone => return Err(ApiError::not_found("run")),
            Retried::Works => {
                let detail = "The run has not ended yet. Wait for its end, or cancel it.";
                return Err(ApiError::conflict("run_works", detail));
            }
            Retried::Asked(created) => created,
        };
        if created.started {
            self.app.bell.notify_one();
        }
        tracing::info!(run_id = %created.run, again = %id, user_id = %auth.0.user, "run asked for");
        let view = self.app.run_view(&auth.0, created.run).await?;
        Ok(if created.run_is_new {
            StartResponse::Started(Json(view), format!("/api/v1/runs/{}", created.run))
        } else {
            StartResponse::Queued(Json(view))
        })
    }

    /// List what a run consists of
    ///
    /// Batches of files, the link step, documents and their pages, each in order; at most 5,000 of a kind.
    #[oai(path = "/runs/:run/tasks", method = "get", operation_id = "list_run_tasks")]
    async fn tasks(&self, auth: Auth, run: Path<Uuid>) -> Result<Json<TaskList>, ApiError> {
        let (store, workspace, id) = (&self.app.store, auth.0.workspace, RunId::from_uuid(run.0));
        let run = store.run(workspace, id).await?.ok_or_else(|| ApiError::not_found("run"))?;
        let work = Work {
            run: id,
            has_ended: run.ended_at.is_some(),
            batches: store.run_batches(workspace, id, MAX_TASKS).await?,
            link: store.run_link(workspace, id).await?,
            documents: store.run_documents(workspace, id).await?,
            pages: store.run_pages(workspace, id, MAX_TASKS).await?,
            attempts: store.run_attempts(workspace, id).await?,
        };
        Ok(Json(TaskList { items: tasks::tasks(work).into_iter().map(Task::from).collect() }))
    }
}
