//! HTTP: handlers that translate, and nothing else.

pub(crate) mod access;
mod admin;
mod audit;
mod auth;
mod body;
mod bounds;
mod conditional;
mod credentials;
mod diagrams;
mod documents;
mod headers;
mod hooks;
mod legacy;
mod list;
mod login;
mod once;
mod previews;
mod problem;
mod prompts;
mod repositories;
mod run_work;
mod runs;
mod runs_view;
mod search;
mod session;
mod shell;
mod sources;
mod stream;
mod system;
mod test_connection;
mod tokens;
mod tree;
mod users;
mod webhooks;

use std::collections::HashMap;
use std::sync::Arc;

use caffeine_bus::Bus;
use caffeine_embedding::Embedder;
use caffeine_sealed::PublicKey;
use caffeine_store::Store;
use caffeine_store::gateway::Versions;
use poem::endpoint::{BoxEndpoint, make_sync};
use poem::http::Method;
use poem::{EndpointExt, IntoEndpoint, IntoResponse, Response, Route};
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService, Tags};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::canceller::Canceller;
use crate::domain::webhook::WebhookKey;
use crate::identity::Identity;
use crate::live::Live;
use crate::streams::Streams;
use crate::web::Web;
use problem::ApiError;
use shell::Shell;

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) identity: Arc<Identity>,
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) versions: Versions,
    /// What credentials are sealed to, if any are kept.
    pub(crate) credential_key: Option<PublicKey>,
    /// What the secrets of webhooks are made from, if any are taken.
    pub(crate) webhook_key: Option<Arc<WebhookKey>>,
    pub(crate) bell: Arc<Notify>,
    pub(crate) canceller: Canceller,
    /// Rung after the deletion of a repository was asked for.
    pub(crate) deletions: Arc<Notify>,
    pub(crate) live: Live,
    pub(crate) streams: Streams,
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
    /// Signing in, sessions, tokens, users, and who did what.
    Identity,
    /// Whether the service is there.
    System,
    /// What waits on the broker, for administrators.
    Operation,
    /// The calls of the older system.
    Legacy,
}

type Operations = (
    system::SystemApi,
    session::SessionApi,
    tokens::TokensApi,
    users::UsersApi,
    audit::AuditApi,
    repositories::RepositoriesApi,
    credentials::CredentialsApi,
    test_connection::TestConnectionApi,
    runs::RunsApi,
    documents::DocumentsApi,
    prompts::PromptsApi,
    search::SearchApi,
    legacy::LegacyApi,
    (tree::TreeApi, run_work::RunWorkApi, previews::PreviewsApi, webhooks::WebhooksApi, admin::AdminApi),
);

fn service<T: OpenApi>(operations: T) -> OpenApiService<T, ()> {
    OpenApiService::new(operations, "CaffeineCode", env!("CARGO_PKG_VERSION")).description(
        "Documentation with line citations for git repositories. Every call that names a security \
         scheme needs `Authorization: Bearer <token>` or the cookie of a session. Errors are problem documents (RFC 9457). Lists are read with `limit` and \
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
        session::SessionApi { app: app.clone() },
        tokens::TokensApi { app: app.clone() },
        users::UsersApi { app: app.clone() },
        audit::AuditApi { app: app.clone() },
        repositories::RepositoriesApi { app: app.clone() },
        credentials::CredentialsApi { app: app.clone() },
        test_connection::TestConnectionApi { app: app.clone() },
        runs::RunsApi { app: app.clone() },
        documents::DocumentsApi { app: app.clone() },
        prompts::PromptsApi { app: app.clone() },
        search::SearchApi { app: app.clone() },
        legacy::LegacyApi { app: app.clone() },
        (
            tree::TreeApi { app: app.clone() },
            run_work::RunWorkApi { app: app.clone() },
            previews::PreviewsApi { app: app.clone() },
            webhooks::WebhooksApi { app: app.clone() },
            admin::AdminApi { app: app.clone() },
        ),
    )
}

/// Everything that answers HTTP.
pub(crate) fn endpoint(app: App) -> BoxEndpoint<'static, Response> {
    let service = service(operations(&app));
    let document = document(&service);
    let routes = Route::new()
        .at(
            "/api/v1/openapi.json",
            poem::get(make_sync(move |_| document.clone().with_content_type("application/json"))),
        )
        .at("/api/v1/documents/:document/pages/sources/*path", poem::get(sources::Sources { app: app.clone() }))
        .at("/api/v1/documents/:document/diagrams/:file", poem::get(diagrams::Diagrams::new(app.clone())))
        .at("/hooks/:webhook", poem::post(hooks::Hooks { app: app.clone() }))
        .at("/login", poem::get(login::Begin { app: app.clone() }))
        .at("/login/callback", poem::get(login::Callback { app: app.clone() }))
        .nest("/", service);
    let routes = routes.into_endpoint().map_to_response().boxed();
    Shell::new(app.identity, Web::before(routes).boxed()).boxed()
}

/// Method and path of every route that is answered, as in the table of access: a test wants to know what each role is
/// answered.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    access::routes()
}

/// The OpenAPI document of a service.
fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> String {
    let text = service.spec();
    let Ok(mut document) = serde_json::from_str(&text) else { return text };
    body::describe_fields(&mut document);
    bounds::describe(&mut document);
    format!("{document:#}\n")
}

/// The OpenAPI document, as it is committed in `schemas/openapi.json`.
#[must_use]
pub fn openapi_json() -> String {
    document(&service(Described))
}
