//! Repositories.

use caffeine_model::{RepositoryId, TemplateId, TemplateVersionId};
use caffeine_store::StoreError;
use caffeine_store::gateway::{NewDocument, NewRepository, NewRun, Once, RepositoryRow};
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{Auth, Principal};
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::runs_view::Run;
use super::{ApiError, App, Tag};
use crate::domain::announce::{announce, delete_command};
use crate::domain::target::Opener;
use crate::domain::{cursor, reference, target};

/// How many documents one run may write.
const MAX_DOCUMENTS: usize = 20;
/// The longest free text of a request, in characters.
pub(crate) const MAX_TEXT: usize = 1_000;

pub(crate) struct RepositoriesApi {
    pub(crate) app: App,
}

/// A repository to be added.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct AddRepository {
    /// Its `https://` or `http://` address, without credentials; with a credential of the kind `ssh_key`, one over ssh.
    url: String,
    /// Identifier of the credential that its host asks for. Of a repository that is known already it takes the place of
    /// the former.
    credential: Option<Uuid>,
    /// Shown to people; the last part of the address if absent.
    name: Option<String>,
    /// Branch, tag or full commit id; the default branch if absent.
    #[oai(rename = "ref")]
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// What the first run writes; one structural document if absent.
    documents: Option<Vec<DocumentRequest>>,
}

/// Who writes a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Writer {
    /// From the analysis alone, without a model.
    Structural,
    /// A model, from a prompt template.
    Template,
}

/// A document to be written.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentRequest {
    /// Who writes it.
    writer: Writer,
    /// The template; its latest version is used. Needed with `template`.
    template_id: Option<Uuid>,
    /// Value of `{style}`.
    style: Option<String>,
    /// BCP 47 tag of the prose; `en` if absent.
    output_language: Option<String>,
    /// The model; the installation's default if absent.
    model: Option<String>,
    /// What to retrieve for `{code}`; the template's name if absent.
    query: Option<String>,
}

/// A repository and how far its latest run is.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Repository {
    id: Uuid,
    /// Shown to people.
    name: String,
    /// Its address, without credentials.
    url: String,
    /// Branch, tag or commit; empty for the default branch.
    #[oai(rename = "ref")]
    reference: String,
    created_at: DateTime<Utc>,
    /// State of the latest run: `queued`, `pending`, `cloning`, `cloned`, `analysed`, `indexed`, `completed`,
    /// `completed_with_errors`, `failed`, `cancelled` or `superseded`.
    status: Option<String>,
    /// The latest run.
    latest_run_id: Option<Uuid>,
    /// The commit of the latest run, once it is pinned.
    commit: Option<String>,
    /// Why the latest run failed.
    failure: Option<String>,
}

impl From<RepositoryRow> for Repository {
    fn from(row: RepositoryRow) -> Self {
        Self {
            id: row.id.as_uuid(),
            name: row.name,
            url: row.url,
            reference: row.reference,
            created_at: row.created_at,
            status: row.latest_state.map(|state| state.to_string()),
            latest_run_id: row.latest_run.map(caffeine_model::RunId::as_uuid),
            commit: row.latest_commit,
            failure: row.latest_failure,
        }
    }
}

/// A repository and the run that was asked for.
#[derive(Debug, Object)]
struct AddedRepository {
    repository: Repository,
    run: Run,
}

/// A page of repositories.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct RepositoryPage {
    items: Vec<Repository>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum AddResponse {
    /// It was there already; a run of it was started or queued, or is queued already.
    #[oai(status = 200)]
    Known(Json<AddedRepository>),
    /// It was added, and its first run was started.
    #[oai(status = 201)]
    Added(Json<AddedRepository>, #[oai(header = "Location")] String),
}

/// A repository that is being deleted.
#[derive(Debug, Object)]
struct DeletedRepository {
    id: Uuid,
    /// `deleting`.
    status: String,
}

#[derive(ApiResponse)]
enum DeleteResponse {
    /// It is not found any more; its runs are being cancelled, and all that is stored of it is being removed.
    #[oai(status = 202)]
    Deleting(Json<DeletedRepository>),
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Repositories")]
impl RepositoriesApi {
    /// Add a repository
    ///
    /// Adds it and starts its first run. If one with the same address and ref exists, a run of that one is asked for.
    #[oai(path = "/repositories", method = "post", operation_id = "add_repository")]
    async fn add(
        &self,
        auth: Auth,
        /// A repeat of the request with the same key within a day starts nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<AddRepository>,
    ) -> Result<AddResponse, ApiError> {
        let once = once(&auth.0, &idempotency_key, "add_repository", &[], &body.0)?;
        let (repository, new) = self.app.add_repository(&auth.0, body.0, once.as_ref()).await?;
        let id = repository.repository.id;
        Ok(if new {
            AddResponse::Added(Json(repository), format!("/api/v1/repositories/{id}"))
        } else {
            AddResponse::Known(Json(repository))
        })
    }

    /// List repositories
    ///
    /// Newest first.
    #[oai(path = "/repositories", method = "get", operation_id = "list_repositories")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RepositoryPage>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let page = self.app.store.repositories(auth.0.workspace, after, limit).await?;
        Ok(Json(RepositoryPage {
            items: page.items.into_iter().map(Repository::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Get a repository
    #[oai(path = "/repositories/:repository", method = "get", operation_id = "get_repository")]
    async fn get(&self, auth: Auth, repository: Path<Uuid>) -> Result<Json<Repository>, ApiError> {
        Ok(Json(self.app.repository(&auth.0, RepositoryId::from_uuid(repository.0)).await?.into()))
    }

    /// Delete a repository
    ///
    /// With its runs, its documents and everything that is known about its files. Cannot be taken back. A repeat is
    /// answered like the first call until everything is gone.
    #[oai(path = "/repositories/:repository", method = "delete", operation_id = "delete_repository")]
    async fn delete(&self, auth: Auth, repository: Path<Uuid>) -> Result<DeleteResponse, ApiError> {
        let (workspace, id) = (auth.0.workspace, RepositoryId::from_uuid(repository.0));
        let command = |runs| delete_command(workspace, id, runs);
        if !self.app.store.delete_repository(&auth.0.actor(), id, &command).await? {
            return Err(ApiError::not_found("repository"));
        }
        self.app.bell.notify_one();
        self.app.deletions.notify_one();
        tracing::info!(repository_id = %id, user_id = %auth.0.user, "deletion asked for");
        let body = DeletedRepository { id: repository.0, status: "deleting".to_owned() };
        Ok(DeleteResponse::Deleting(Json(body)))
    }
}

impl App {
    /// One repository of the principal's workspace.
    pub(crate) async fn repository(&self, who: &Principal, id: RepositoryId) -> Result<RepositoryRow, ApiError> {
        self.store.repository(who.workspace, id).await?.ok_or_else(|| ApiError::not_found("repository"))
    }

    /// Adds a repository by address alone, as the older system did.
    pub(crate) async fn add_by_url(&self, who: &Principal, url: String) -> Result<RepositoryRow, ApiError> {
        let body = AddRepository { url, credential: None, name: None, reference: None, documents: None };
        let (added, _) = self.add_repository(who, body, None).await?;
        self.repository(who, RepositoryId::from_uuid(added.repository.id)).await
    }

    async fn add_repository(
        &self,
        who: &Principal,
        body: AddRepository,
        once: Option<&Once>,
    ) -> Result<(AddedRepository, bool), ApiError> {
        let credential = self.named_credential(who, body.credential).await?;
        let opener = credential.as_ref().map(|row| Opener { kind: &row.kind, host: &row.host });
        let target = target::check(&body.url, opener)
            .map_err(|error| ApiError::refused(error.code(), error.pointer(), error.to_string()))?;
        let reference = reference::check(body.reference.as_deref().unwrap_or_default())
            .map_err(|error| ApiError::refused("ref_malformed", "/ref", error.to_string()))?;
        let name = match text("/name", body.name.as_deref(), 200)? {
            "" => target.name,
            name => name.to_owned(),
        };
        let new = NewRepository {
            name,
            url: target.url,
            reference: reference.to_owned(),
            credential: credential.map(|row| row.id),
        };
        let documents = self.documents(who, body.documents.as_deref()).await?;
        let run = NewRun { documents: &documents, versions: &self.versions, announce: &announce, now: Utc::now() };
        let created = self.store.create_repository(&who.actor(), &new, run, once).await.map_err(run_error)?;
        if created.started {
            self.bell.notify_one();
        }
        tracing::info!(repository_id = %created.repository, run_id = %created.run, user_id = %who.user, "run asked for");
        let repository = self.repository(who, created.repository).await?.into();
        let run = self.run_view(who, created.run).await?;
        Ok((AddedRepository { repository, run }, created.repository_is_new))
    }

    /// Checks what a run is asked to write.
    pub(crate) async fn documents(
        &self,
        who: &Principal,
        wanted: Option<&[DocumentRequest]>,
    ) -> Result<Vec<NewDocument>, ApiError> {
        let Some(wanted) = wanted else {
            return Ok(vec![structural()]);
        };
        if wanted.len() > MAX_DOCUMENTS {
            let detail = format!("A run writes at most {MAX_DOCUMENTS} documents. Ask for fewer.");
            return Err(ApiError::refused("too_many_documents", "/documents", detail));
        }
        let mut documents = Vec::with_capacity(wanted.len());
        for (index, document) in wanted.iter().enumerate() {
            documents.push(self.document_of(who, index, document).await?);
        }
        Ok(documents)
    }

    async fn document_of(
        &self,
        who: &Principal,
        index: usize,
        wanted: &DocumentRequest,
    ) -> Result<NewDocument, ApiError> {
        let pointer = |field: &str| format!("/documents/{index}/{field}");
        let (title, template_version) = match (wanted.writer, wanted.template_id) {
            (Writer::Structural, _) => (structural().title, None),
            (Writer::Template, None) => {
                let detail = "A document of a template needs `template_id`. GET /api/v1/prompts lists the templates.";
                return Err(ApiError::refused("template_missing", &pointer("template_id"), detail));
            }
            (Writer::Template, Some(id)) => self.template_title(who, id).await?.ok_or_else(|| {
                let detail = "There is no such template. GET /api/v1/prompts lists the templates.";
                ApiError::refused("template_unknown", &pointer("template_id"), detail)
            })?,
        };
        let output_language = text(&pointer("output_language"), wanted.output_language.as_deref(), 35)?;
        Ok(NewDocument {
            title,
            template_version,
            style: text(&pointer("style"), wanted.style.as_deref(), MAX_TEXT)?.to_owned(),
            output_language: if output_language.is_empty() { "en".to_owned() } else { output_language.to_owned() },
            model: text(&pointer("model"), wanted.model.as_deref(), 200)?.to_owned(),
            query: text(&pointer("query"), wanted.query.as_deref(), MAX_TEXT)?.to_owned(),
        })
    }

    async fn template_title(
        &self,
        who: &Principal,
        id: Uuid,
    ) -> Result<Option<(String, Option<TemplateVersionId>)>, StoreError> {
        let template = self.store.template(who.workspace, TemplateId::from_uuid(id)).await?;
        Ok(template.map(|template| (template.name, Some(template.latest_version))))
    }
}

pub(crate) fn structural() -> NewDocument {
    NewDocument {
        title: "Reference".to_owned(),
        template_version: None,
        style: String::new(),
        output_language: "en".to_owned(),
        model: String::new(),
        query: String::new(),
    }
}

/// A template can be gone between its check and its use.
pub(crate) fn run_error(error: StoreError) -> ApiError {
    match error {
        StoreError::ReferenceGone(_) => {
            ApiError::conflict("template_gone", "A template was deleted meanwhile. Send the request again without it.")
        }
        other => other.into(),
    }
}

/// Free text of a request: trimmed, short, and without characters that are not text.
pub(crate) fn text<'a>(pointer: &str, value: Option<&'a str>, longest: usize) -> Result<&'a str, ApiError> {
    let value = value.unwrap_or_default().trim();
    if value.chars().count() > longest {
        return Err(ApiError::refused("too_long", pointer, format!("At most {longest} characters. Shorten it.")));
    }
    if value.chars().any(char::is_control) {
        return Err(ApiError::refused("control_character", pointer, "Remove the control characters."));
    }
    Ok(value)
}
