//! The calls of the older system, in its words.

use std::borrow::Cow;

use caffeine_model::RepositoryId;
use caffeine_store::gateway::RepositoryRow;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::auth::Auth;
use super::body::Body;
use super::list::{PageLimit, page_of};
use super::{ApiError, App, Tag};
use crate::domain::legacy;

pub(crate) struct LegacyApi {
    pub(crate) app: App,
}

/// A repository to be added.
#[derive(Debug, Object, Deserialize)]
struct AddRepo {
    /// Its `https://` or `http://` address, without credentials.
    url: String,
}

/// A repository in the words of the older system.
#[derive(Debug, Object)]
struct Repo {
    id: Uuid,
    url: String,
    /// `pending`, `cloning`, `cloned`, `indexing`, `indexed` or `failed`.
    status: String,
    /// The commit that was read last.
    commit: OrNull<String>,
    /// Why it failed, if it did.
    error: OrNull<String>,
}

/// A field that is there even if there is nothing to say, with null: the other calls leave it out.
#[derive(Debug)]
struct OrNull<T>(Option<T>);

impl<T: Type> Type for OrNull<T> {
    const IS_REQUIRED: bool = true;

    type RawValueType = T::RawValueType;

    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        format!("{}_or_null", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref().merge(MetaSchema { nullable: true, ..MetaSchema::ANY })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_raw_value()
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        self.0.raw_element_iter()
    }
}

impl<T: ParseFromJSON> ParseFromJSON for OrNull<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Option::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}

impl<T: ToJSON> ToJSON for OrNull<T> {
    fn to_json(&self) -> Option<Value> {
        self.0.to_json()
    }
}

impl From<RepositoryRow> for Repo {
    fn from(row: RepositoryRow) -> Self {
        Self {
            id: row.id.as_uuid(),
            url: row.url,
            status: legacy::status(row.latest_state).to_owned(),
            commit: OrNull(row.latest_commit),
            error: OrNull(row.latest_failure),
        }
    }
}

#[derive(ApiResponse)]
enum AddResponse {
    /// It was added, and a run of it was asked for.
    #[oai(status = 202)]
    Accepted(Json<Repo>),
}

#[OpenApi(prefix_path = "/api/repos", tag = "Tag::Legacy")]
impl LegacyApi {
    /// Add a repository (older call)
    ///
    /// Use `POST /api/v1/repositories`. It takes no `Idempotency-Key`: a repository is known by its address, so a repeat
    /// adds none. It asks for another run, of which at most one waits.
    #[oai(path = "/", method = "post", operation_id = "legacy_add_repository", deprecated)]
    async fn add(&self, auth: Auth, body: Body<AddRepo>) -> Result<AddResponse, ApiError> {
        Ok(AddResponse::Accepted(Json(self.app.add_by_url(&auth.0, body.0.url).await?.into())))
    }

    /// List repositories (older call)
    ///
    /// The 200 newest. Use `GET /api/v1/repositories`.
    #[oai(path = "/", method = "get", operation_id = "legacy_list_repositories", deprecated)]
    async fn list(&self, auth: Auth, limit: Query<Option<PageLimit>>) -> Result<Json<Vec<Repo>>, ApiError> {
        let (after, limit) = page_of(None, limit.0.or(Some(PageLimit::MOST)))?;
        let page = self.app.store.repositories(auth.0.workspace, after, limit).await?;
        Ok(Json(page.items.into_iter().map(Repo::from).collect()))
    }

    /// Get a repository (older call)
    ///
    /// Use `GET /api/v1/repositories/{repository}`, or follow its run.
    #[oai(path = "/:repository", method = "get", operation_id = "legacy_get_repository", deprecated)]
    async fn get(&self, auth: Auth, repository: Path<Uuid>) -> Result<Json<Repo>, ApiError> {
        Ok(Json(self.app.repository(&auth.0, RepositoryId::from_uuid(repository.0)).await?.into()))
    }
}
