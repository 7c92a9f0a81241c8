//! HTTP: handlers that translate, and nothing else.

mod auth;
mod credentials;
mod documents;
mod legacy;
mod problem;
mod prompts;
mod repositories;
mod runs;
mod runs_view;
mod search;
mod shell;
mod sources;
mod stream;
mod system;
mod test_connection;

use std::collections::HashMap;
use std::sync::Arc;

use caffeine_bus::Bus;
use caffeine_embedding::Embedder;
use caffeine_sealed::PublicKey;
use caffeine_store::Store;
use caffeine_store::gateway::Versions;
use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem::{EndpointExt, IntoEndpoint, Response, Route};
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService, Tags};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::canceller::Canceller;
use crate::live::Live;
use problem::ApiError;
use shell::Shell;

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) versions: Versions,
    /// What credentials are sealed to, if any are kept.
    pub(crate) credential_key: Option<PublicKey>,
    pub(crate) bell: Arc<Notify>,
    pub(crate) canceller: Canceller,
    /// Rung after the deletion of a repository was asked for.
    pub(crate) deletions: Arc<Notify>,
    pub(crate) live: Live,
    /// Ends event streams when the pod stops.
    pub(crate) stop: CancellationToken,
}

/// Groups of operations in the document.
#[derive(Tags)]
enum Tag {
    /// Git repositories and how far their documentation is.
    Repositories,
    /// What private git hosts ask for.
    Credentials,
    /// Single runs of the pipeline over one commit.
    Runs,
    /// What was written.
    Documents,
    /// Prompt templates.
    Prompts,
    /// Finding code.
    Search,
    /// Whether the service is there.
    System,
    /// The calls of the older system.
    Legacy,
}

type Operations = (
    system::SystemApi,
    repositories::RepositoriesApi,
    credentials::CredentialsApi,
    test_connection::TestConnectionApi,
    runs::RunsApi,
    documents::DocumentsApi,
    prompts::PromptsApi,
    search::SearchApi,
    legacy::LegacyApi,
);

fn service<T: OpenApi>(operations: T) -> OpenApiService<T, ()> {
    OpenApiService::new(operations, "CaffeineCode", env!("CARGO_PKG_VERSION")).description(
        "Documentation with line citations for git repositories. Every call but `GET /api/v1/health` needs \
         `Authorization: Bearer <token>`. Errors are problem documents (RFC 9457). Lists are read with `limit` and \
         `cursor`.",
    )
}

/// The operations without what they work with: enough to describe them.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        Operations::meta()
    }

    fn register(registry: &mut Registry) {
        Operations::register(registry);
    }

    fn add_routes(self, _table: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn operations(app: &App) -> Operations {
    (
        system::SystemApi,
        repositories::RepositoriesApi { app: app.clone() },
        credentials::CredentialsApi { app: app.clone() },
        test_connection::TestConnectionApi { app: app.clone() },
        runs::RunsApi { app: app.clone() },
        documents::DocumentsApi { app: app.clone() },
        prompts::PromptsApi { app: app.clone() },
        search::SearchApi { app: app.clone() },
        legacy::LegacyApi { app: app.clone() },
    )
}

/// Everything that answers HTTP.
pub(crate) fn endpoint(app: App) -> BoxEndpoint<'static, Response> {
    let service = service(operations(&app));
    let document = service.spec_endpoint();
    let routes = Route::new()
        .at("/api/v1/openapi.json", poem::get(document))
        .at("/api/v1/documents/:document/pages/sources/*path", poem::get(sources::Sources { app: app.clone() }))
        .nest("/", service);
    Shell::new(app.store, routes.into_endpoint().map_to_response().boxed(), Operations::meta()).boxed()
}

/// The OpenAPI document, as it is committed in `schemas/openapi.json`.
#[must_use]
pub fn openapi_json() -> String {
    let mut text = service(Described).spec();
    text.push('\n');
    text
}
