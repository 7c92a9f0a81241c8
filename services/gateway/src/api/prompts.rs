//! Prompt templates.

use caffeine_model::TemplateId;
use caffeine_store::StoreError;
use caffeine_store::gateway::{NewVersion, TemplateRow, VersionRow};
use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use uuid::Uuid;

use super::auth::{Auth, Principal};
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::once::once;
use super::repositories::text;
use super::{ApiError, App, Tag};
use crate::domain::{cursor, template};

/// How many versions a template is shown with.
const MAX_VERSIONS: i64 = 200;

pub(crate) struct PromptsApi {
    pub(crate) app: App,
}

/// A page of the versions of a template.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct VersionList {
    /// Newest first.
    items: Vec<TemplateVersion>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

/// A template to be made.
#[derive(Debug, Object, Deserialize)]
#[oai(skip_serializing_if_is_none)]
#[serde(deny_unknown_fields)]
struct AddTemplate {
    /// Unique in the workspace.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The system prompt.
    system: String,
    /// The body, with `{code}` and, if wanted, `{language}`, `{style}` and `{output_language}`.
    body: String,
}

/// The text of a new version.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddVersion {
    /// The system prompt.
    system: String,
    /// The body, with `{code}` and, if wanted, `{language}`, `{style}` and `{output_language}`.
    body: String,
}

/// A prompt template.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Template {
    id: Uuid,
    name: String,
    /// What it is for.
    description: String,
    /// It ships with the program; make your own to change it.
    built_in: bool,
    created_at: DateTime<Utc>,
    /// Number of the latest version.
    latest_version: u32,
    /// The latest versions, 200 at most, newest first; absent in lists. `GET …/versions` reads on.
    versions: Option<Vec<TemplateVersion>>,
}

/// A version of a template. It never changes.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct TemplateVersion {
    id: Uuid,
    /// From 1.
    number: u32,
    system: String,
    body: String,
    created_at: DateTime<Utc>,
    /// Who wrote it; absent if it ships with the program.
    author: Option<String>,
}

/// A page of templates.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct TemplateList {
    items: Vec<Template>,
    /// Give it as `cursor` to read on; absent at the end.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum AddResponse {
    /// It was made.
    #[oai(status = 201)]
    Added(Json<Template>, #[oai(header = "Location")] String),
}

impl From<TemplateRow> for Template {
    fn from(row: TemplateRow) -> Self {
        Self {
            id: row.id.as_uuid(),
            name: row.name,
            description: row.description,
            built_in: row.built_in,
            created_at: row.created_at,
            latest_version: row.latest_number,
            versions: None,
        }
    }
}

impl From<VersionRow> for TemplateVersion {
    fn from(row: VersionRow) -> Self {
        Self {
            id: row.id.as_uuid(),
            number: row.number,
            system: row.system,
            body: row.body,
            created_at: row.created_at,
            author: row.author,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Prompts")]
impl PromptsApi {
    /// List prompt templates
    ///
    /// Your own and the built-in ones, by name.
    #[oai(path = "/prompts", method = "get", operation_id = "list_prompts")]
    async fn list(
        &self,
        auth: Auth,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<TemplateList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let page = self.app.store.templates(auth.0.workspace, after, limit).await?;
        Ok(Json(TemplateList {
            items: page.items.into_iter().map(Template::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Make a prompt template
    #[oai(path = "/prompts", method = "post", operation_id = "add_prompt")]
    async fn add(
        &self,
        auth: Auth,
        /// A repeat of the request with the same key within a day makes nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<AddTemplate>,
    ) -> Result<AddResponse, ApiError> {
        let once = once(&auth.0, &idempotency_key, "add_prompt", &[], &body.0)?;
        let name = text("/name", Some(&body.name), 100)?;
        if name.is_empty() {
            return Err(ApiError::refused("name_missing", "/name", "Give the template a name."));
        }
        let description = text("/description", body.description.as_deref(), 1_000)?;
        let version = checked(&body.system, &body.body)?;
        let made = self.app.store.create_template(&auth.0.actor(), name, description, &version, once.as_ref()).await;
        let id = made.map_err(|error| match error {
            StoreError::Duplicate(_) => {
                let detail = "There is a template of this name. Choose another name, or add a version to it.";
                ApiError::conflict("name_taken", detail)
            }
            other => other.into(),
        })?;
        Ok(AddResponse::Added(Json(self.view(&auth.0, id).await?), format!("/api/v1/prompts/{id}")))
    }

    /// Get a prompt template
    ///
    /// With its versions, newest first.
    #[oai(path = "/prompts/:template", method = "get", operation_id = "get_prompt")]
    async fn get(&self, auth: Auth, template: Path<Uuid>) -> Result<Json<Template>, ApiError> {
        Ok(Json(self.view(&auth.0, TemplateId::from_uuid(template.0)).await?))
    }

    /// List the versions of a prompt template
    ///
    /// Newest first.
    #[oai(path = "/prompts/:template/versions", method = "get", operation_id = "list_prompt_versions")]
    async fn versions(
        &self,
        auth: Auth,
        template: Path<Uuid>,
        /// At most this many, up to 200; 50 if absent.
        limit: Query<Option<PageLimit>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<VersionList>, ApiError> {
        let (after, limit) = page_of(cursor.0.as_deref(), limit.0)?;
        let id = self.visible(&auth.0, template.0).await?;
        let page = self.app.store.template_versions(id, after, limit).await?;
        Ok(Json(VersionList {
            items: page.items.into_iter().map(TemplateVersion::from).collect(),
            next_cursor: page.next.map(cursor::encode),
        }))
    }

    /// Get a version of a prompt template
    #[oai(path = "/prompts/:template/versions/:number", method = "get", operation_id = "get_prompt_version")]
    async fn version(
        &self,
        auth: Auth,
        template: Path<Uuid>,
        /// From 1.
        number: Path<u32>,
    ) -> Result<Json<TemplateVersion>, ApiError> {
        let missing = || ApiError::not_found("version");
        let id = self.visible(&auth.0, template.0).await?;
        let number = i32::try_from(number.0).map_err(|_| missing())?;
        let row = self.app.store.template_version(id, number).await?;
        row.map(|row| Json(row.into())).ok_or_else(missing)
    }

    /// Add a version to a prompt template
    ///
    /// Documents that were asked for before keep the version they were asked with.
    #[oai(path = "/prompts/:template/versions", method = "post", operation_id = "add_prompt_version")]
    async fn add_version(
        &self,
        auth: Auth,
        template: Path<Uuid>,
        /// A repeat of the request with the same key within a day makes nothing and is answered alike.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<AddVersion>,
    ) -> Result<AddResponse, ApiError> {
        let once = once(&auth.0, &idempotency_key, "add_prompt_version", &[template.0], &body.0)?;
        let id = TemplateId::from_uuid(template.0);
        let present = self.view(&auth.0, id).await?;
        if present.built_in {
            let detail = "This template ships with the program and cannot be changed. Make your own from its text.";
            return Err(ApiError::conflict("template_built_in", detail));
        }
        let version = checked(&body.system, &body.body)?;
        if !self.app.store.create_template_version(&auth.0.actor(), id, &version, once.as_ref()).await? {
            return Err(ApiError::not_found("template"));
        }
        Ok(AddResponse::Added(Json(self.view(&auth.0, id).await?), format!("/api/v1/prompts/{id}")))
    }
}

impl PromptsApi {
    async fn visible(&self, who: &Principal, template: Uuid) -> Result<TemplateId, ApiError> {
        let id = TemplateId::from_uuid(template);
        let found = self.app.store.template(who.workspace, id).await?;
        found.map(|row| row.id).ok_or_else(|| ApiError::not_found("template"))
    }

    async fn view(&self, who: &Principal, id: TemplateId) -> Result<Template, ApiError> {
        let row = self.app.store.template(who.workspace, id).await?.ok_or_else(|| ApiError::not_found("template"))?;
        let versions = self.app.store.template_versions(id, None, MAX_VERSIONS).await?;
        let versions = versions.items.into_iter().map(TemplateVersion::from).collect();
        Ok(Template { versions: Some(versions), ..Template::from(row) })
    }
}

fn checked(system: &str, body: &str) -> Result<NewVersion, ApiError> {
    template::check(system, body).map_err(|error| ApiError::refused("template_refused", "/body", error.to_string()))?;
    Ok(NewVersion { system: system.to_owned(), body: body.to_owned() })
}
