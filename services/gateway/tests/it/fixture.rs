//! A running gateway with servers of its own.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use caffeine_bus::{Bus, BusConfig, Outgoing, StorageProfile, provision};
use caffeine_contract::{Scope, v1};
use caffeine_embedding::StaticTable;
use caffeine_gateway::{GatewayConfig, GatewayService, generate_session_key, generate_token};
use caffeine_kit::{Clients, Service};
use caffeine_model::{ANALYSER, EMBEDDING_MODEL, Generation, Lane, RepositoryId, RunId, WorkspaceId};
use caffeine_sealed::PrivateKey;
use caffeine_store::Store;
use caffeine_testkit::{TestBus, TestDatabase, eventually};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use v1::run_transition::Transition;

/// Long enough for a loaded machine; a passing test never waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Loaded once for all tests of a process.
pub(crate) static TABLE: LazyLock<Arc<StaticTable>> =
    LazyLock::new(|| Arc::new(StaticTable::load().expect("the table is compiled in")));

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) base: String,
    pub(crate) token: String,
    /// The cloner's half of the pair.
    pub(crate) credential_key: PrivateKey,
    pub(crate) http: Client,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
    /// With these settings.
    pub(crate) config: GatewayConfig,
    // Dropped last.
    pub(crate) nats: TestBus,
    pub(crate) database: TestDatabase,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With other settings than the usual ones.
    pub(crate) async fn start_with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        // Ignored if another test of this process was faster: it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = TestDatabase::create().await;
        let nats = TestBus::connect().await;
        let store = Store::connect(database.url(), 6, "gateway-test").await.unwrap();
        let config = BusConfig {
            url: nats.url().to_owned(),
            prefix: nats.prefix().to_owned(),
            name: "gateway-test".to_owned(),
            nkey: None,
        };
        let bus = Bus::connect(&config).await.unwrap();
        provision(&bus, StorageProfile::Embedded).await.unwrap();
        let token = generate_token().unwrap();
        let credential_key = PrivateKey::generate();
        let mut config = GatewayConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_token: Some(token.clone().into()),
            credential_public_key: Some(credential_key.public().to_string()),
            webhook_key: Some("a key of this test's, 32 bytes or more".to_owned().into()),
            session_keys: Some(generate_session_key().unwrap().into()),
            // Tests ask again and again until something has happened.
            rate_read: 0,
            rate_write: 0,
            rate_search: 0,
            rate_sign_in: 0,
            ..GatewayConfig::default()
        };
        change(&mut config);
        let stop = CancellationToken::new();
        let (base, task) = serve(&config, &bus, &store, stop.clone()).await;
        let http = Client::builder().no_proxy().timeout(DEADLINE).redirect(Policy::none()).build().unwrap();
        Self { store, bus, base, token, credential_key, http, stop, task, config, nats, database }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// A second gateway with the same database, broker and stop; where it answers.
    pub(crate) async fn another(&self, change: impl FnOnce(&mut GatewayConfig)) -> String {
        let mut config = self.config.clone();
        change(&mut config);
        serve(&config, &self.bus, &self.store, self.stop.clone()).await.0
    }

    /// A new user of a role in the workspace, and a token of that user.
    pub(crate) async fn user(&self, role: &str) -> (Uuid, String) {
        let (user, token) = (Uuid::now_v7(), generate_token().unwrap());
        let workspace = self.workspace().await.as_uuid();
        sqlx::query("INSERT INTO users (user_id, workspace_id, display_name, role) VALUES ($1, $2, $3, $3)")
            .bind(user)
            .bind(workspace)
            .bind(role)
            .execute(self.database.pool())
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO tokens (token_id, workspace_id, user_id, name, secret_hash, expires_at) \
             VALUES ($1, $2, $3, 'test', sha256($4::bytea), now() + interval '1 day')",
        )
        .bind(Uuid::now_v7())
        .bind(workspace)
        .bind(user)
        .bind(token.as_bytes())
        .execute(self.database.pool())
        .await
        .unwrap();
        (user, token)
    }

    /// Adds a repository; its scope and its documents.
    pub(crate) async fn add(&self, url: &str) -> (Scope, Vec<Uuid>) {
        let (status, body) = self.post("/api/v1/repositories", &json!({ "url": url })).await;
        assert!(status == 201 || status == 200, "{status} {body}");
        let scope = self.scope(id(&body, "/repository/id"), id(&body, "/run/id")).await;
        let documents = body["run"]["documents"].as_array().unwrap();
        (scope, documents.iter().map(|document| id(document, "/id")).collect())
    }

    /// The scope of a run.
    pub(crate) async fn scope(&self, repository: Uuid, run: Uuid) -> Scope {
        Scope {
            workspace: self.workspace().await,
            repository: RepositoryId::from_uuid(repository),
            run: RunId::from_uuid(run),
            generation: Generation(0),
            lane: Lane::Interactive,
            analyser: ANALYSER.to_owned(),
            embedding_model: EMBEDDING_MODEL.to_owned(),
        }
    }

    pub(crate) async fn workspace(&self) -> WorkspaceId {
        let id: Uuid = sqlx::query_scalar("SELECT workspace_id FROM workspaces WHERE name = 'default'")
            .fetch_one(self.database.pool())
            .await
            .unwrap();
        WorkspaceId::from_uuid(id)
    }

    /// Says on the bus that something happened to a run.
    pub(crate) async fn report(&self, scope: &Scope, transition: Transition) {
        self.bus.try_publish(&transition_of(scope, transition)).await.unwrap();
    }

    /// Waits until a run has this state.
    pub(crate) async fn reaches(&self, run: RunId, state: &str) {
        let path = format!("/api/v1/runs/{run}");
        eventually(DEADLINE, || async { self.get(&path).await.1["state"] == state }).await;
    }

    /// How many outbox rows there are.
    pub(crate) async fn outbox(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(self.database.pool()).await.unwrap()
    }

    /// Messages stored in a stream of this test.
    pub(crate) async fn stored(&self, stream: &str) -> u64 {
        let name = format!("{}_{stream}", self.nats.prefix());
        let mut stream = self.nats.jetstream().get_stream(name).await.unwrap();
        stream.info().await.unwrap().state.messages
    }

    /// Runs statements that prepare rows of other services.
    pub(crate) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(self.database.pool()).await.unwrap();
    }

    /// Stops the gateway as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.expect("the gateway stops").unwrap().unwrap();
    }
}

async fn serve(
    config: &GatewayConfig,
    bus: &Bus,
    store: &Store,
    stop: CancellationToken,
) -> (String, JoinHandle<anyhow::Result<()>>) {
    let clients = Clients { bus: bus.clone(), store: store.clone() };
    let gateway = GatewayService::from_parts(config.clone(), clients, TABLE.clone()).await.unwrap();
    assert!(gateway.first_token().is_none(), "a given token is not shown");
    let base = format!("http://{}", gateway.address());
    (base, tokio::spawn(gateway.run(stop)))
}

/// The status and the body; every error must be a problem document.
pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status();
    let media = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: no JSON: {text}"));
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(media.as_deref(), Some("application/problem+json"), "{status}: {text}");
        assert_eq!(body["status"], status.as_u16(), "{text}");
        for field in ["type", "title", "code", "detail"] {
            assert!(body[field].as_str().is_some_and(|words| !words.is_empty()), "{field} of {text}");
        }
    }
    (status.as_u16(), body)
}

/// The identifier at a JSON pointer.
pub(crate) fn id(body: &Value, pointer: &str) -> Uuid {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {body}")).parse().unwrap()
}

pub(crate) fn transition_of(scope: &Scope, transition: Transition) -> Outgoing {
    let message = v1::RunTransition { scope: None, occurred_at_ms: 1_795_000_000_000, transition: Some(transition) };
    Outgoing::new(scope, message)
}

/// Everything that happens to a run that goes well.
pub(crate) fn course(documents: &[Uuid]) -> Vec<Transition> {
    let mut course = vec![
        Transition::CloneStarted(v1::CloneStarted {}),
        Transition::Planned(v1::Planned {
            commit: vec![7; 20].into(),
            r#ref: "main".to_owned(),
            files: 5,
            known: 1,
            skipped: 1,
            sent: 3,
            batches: 2,
            bytes: 900,
        }),
        Transition::Cloned(v1::Cloned {}),
        Transition::Analysed(v1::Analysed {
            files: 4,
            skipped: 1,
            symbols: 12,
            edges: 3,
            modules: 2,
            failed_batches: 0,
        }),
        Transition::Indexed(v1::Indexed { chunks: 20, failed_batches: 0 }),
    ];
    for document in documents {
        let document_id = bytes::Bytes::copy_from_slice(document.as_bytes());
        course.push(Transition::DocumentPlanned(v1::DocumentPlanned { document_id: document_id.clone(), pages: 3 }));
        course.push(Transition::DocumentCompleted(v1::DocumentCompleted {
            document_id,
            pages: 3,
            failed_pages: 0,
            failure: None,
        }));
    }
    course
}
