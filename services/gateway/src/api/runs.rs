//! Runs and their events.

use caffeine_model::{RepositoryId, RunId, RunState};
use caffeine_store::gateway::{Applied, NewRun};
use chrono::Utc;
use futures::stream::BoxStream;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{EventStream, Json};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::repositories::{DocumentRequest, run_error};
use super::runs_view::Run;
use super::stream::{self, RunEvent};
use super::{ApiError, App, Tag};
use crate::domain::announce::announce;
use crate::domain::cursor;

pub(crate) struct RunsApi {
    pub(crate) app: App,
}

/// A run to be started.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct StartRun {
    /// What it writes; one structural document if absent.
    documents: Option<Vec<DocumentRequest>>,
}

/// A page of runs.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct RunPage {
    pub(crate) items: Vec<Run>,
    /// Give it as `cursor` to read on; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

#[derive(ApiResponse)]
pub(crate) enum StartResponse {
    /// One was queued already for the same documents; this is it.
    #[oai(status = 200)]
    Queued(Json<Run>),
    /// It was started, or queued behind the one that works.
    #[oai(status = 201)]
    Started(Json<Run>, #[oai(header = "Location")] String),
}

#[derive(ApiResponse)]
enum CancelResponse {
    /// It was cancelled before.
    #[oai(status = 200)]
    Known(Json<Run>),
    /// It is cancelled; what its stages are at is dropped within seconds.
    #[oai(status = 202)]
    Cancelled(Json<Run>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Runs")]
impl RunsApi {
    /// Start a run
    ///
    /// Reads the ref's present commit. While another run of the repository works, this one waits; only one waits. A
    /// request for other documents than those of the waiting run takes its place; the older one ends as `superseded`.
    #[oai(path = "/repositories/:repository/runs", method = "post", operation_id = "start_run")]
    async fn start(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// A repeat of the request with the same key within a day starts nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<StartRun>,
    ) -> Result<StartResponse, ApiError> {
        let once = once(&auth.0, &idempotency_key, "start_run", &[repository.0], &body.0)?;
        let documents = self.app.documents(&auth.0, body.0.documents.as_deref()).await?;
        let new = NewRun { documents: &documents, versions: &self.app.versions, announce: &announce, now: Utc::now() };
        let created = self
            .app
            .store
            .create_run(&auth.0.actor(), RepositoryId::from_uuid(repository.0), new, once.as_ref())
            .await
            .map_err(run_error)?
            .ok_or_else(|| ApiError::not_found("repository"))?;
        if created.started {
            self.app.bell.notify_one();
        }
        tracing::info!(run_id = %created.run, user_id = %auth.0.user, "run asked for");
        let run = self.app.run_view(&auth.0, created.run).await?;
        Ok(if created.run_is_new {
            StartResponse::Started(Json(run), format!("/api/v1/runs/{}", created.run))
        } else {
            StartResponse::Queued(Json(run))
        })
    }

    /// List a repository's runs
    ///
    /// Newest first.
    #[oai(path = "/repositories/:repository/runs", method = "get", operation_id = "list_runs")]
    async fn list(
        &self,
        auth: Auth,
        repository: Path<Uuid>,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RunPage>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let repository = self.app.repository(&auth.0, RepositoryId::from_uuid(repository.0)).await?;
        let page = self.app.store.runs(auth.0.workspace, repository.id, after, limit).await?;
        Ok(Json(RunPage {
            items: page.items.into_iter().map(Run::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Get a run
    ///
    /// With what each stage did and how long it took.
    #[oai(path = "/runs/:run", method = "get", operation_id = "get_run")]
    async fn get(&self, auth: Auth, run: Path<Uuid>) -> Result<Json<Run>, ApiError> {
        Ok(Json(self.app.run_view(&auth.0, RunId::from_uuid(run.0)).await?))
    }

    /// Cancel a run
    ///
    /// Also one that waits. A run that has ended otherwise stays as it is.
    #[oai(path = "/runs/:run/cancel", method = "post", operation_id = "cancel_run")]
    async fn cancel(&self, auth: Auth, run: Path<Uuid>) -> Result<CancelResponse, ApiError> {
        let id = RunId::from_uuid(run.0);
        let applied = self.app.canceller.cancel(&auth.0.actor(), id).await?;
        if applied == Applied::Gone {
            return Err(ApiError::not_found("run"));
        }
        let run = self.app.run_view(&auth.0, id).await?;
        match applied {
            Applied::Stored { .. } => {
                tracing::info!(run_id = %id, user_id = %auth.0.user, "cancelled by a user");
                Ok(CancelResponse::Cancelled(Json(run)))
            }
            _ if run.state == RunState::Cancelled.as_str() => Ok(CancelResponse::Known(Json(run))),
            _ => {
                let detail = format!("The run has ended as `{}` and cannot be cancelled any more.", run.state);
                Err(ApiError::conflict("run_ended", detail))
            }
        }
    }

    /// Follow a run
    ///
    /// Server-sent events. `transition` events have an id and are never lost: after a break, send the last id as
    /// `Last-Event-ID`. `progress` events have none. The stream closes with an `end` event after the run has ended.
    #[oai(path = "/runs/:run/events", method = "get", operation_id = "follow_run")]
    async fn follow(
        &self,
        auth: Auth,
        run: Path<Uuid>,
        /// The last id that was seen.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Result<EventStream<BoxStream<'static, RunEvent>>, ApiError> {
        let after = match last_event_id.0.as_deref().map(str::trim) {
            None | Some("") => 0,
            Some(text) => text.parse().map_err(|_| {
                ApiError::bad_request("bad_event_id", "`Last-Event-ID` must be an id of this stream, a number.")
            })?,
        };
        let run = RunId::from_uuid(run.0);
        if self.app.store.run(auth.0.workspace, run).await?.is_none() {
            return Err(ApiError::not_found("run"));
        }
        Ok(stream::response(stream::follow(&self.app, &auth.0, run, after)?))
    }
}
