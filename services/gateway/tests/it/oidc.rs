//! Signing in by a provider that says what no honest one says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use caffeine_gateway::GatewayConfig;
use chrono::Utc;
use poem::listener::TcpAcceptor;
use poem::web::{Data, Form, Json};
use poem::{EndpointExt, Route, Server, get, handler, post};
use reqwest::{Method, Response, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::fixture::{Fixture, answer};
use crate::sessions::{Browser, cookie_of};

const CLIENT: &str = "docs";
const SECRET: &str = "a secret: with+odd/characters";

/// What the provider does.
struct Inner {
    issuer: String,
    key: EcdsaKeyPair,
    /// Name of the key in tokens, and as it is published.
    kid: (String, String),
    alg: String,
    /// What tokens say beside what is right.
    claims: Value,
    /// Codes that were not redeemed yet, with challenge and nonce.
    codes: HashMap<String, (String, String)>,
    /// How often the keys were asked for.
    keys_asked: u32,
}

type State = Arc<Mutex<Inner>>;

/// A provider on a port of its own.
pub(crate) struct StandIn {
    state: State,
    issuer: String,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

#[handler]
fn metadata(state: Data<&State>) -> Json<Value> {
    let issuer = &state.lock().unwrap().issuer;
    Json(json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/out"),
    }))
}

#[handler]
fn keys(state: Data<&State>) -> Json<Value> {
    let mut state = state.lock().unwrap();
    state.keys_asked += 1;
    let point = state.key.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": state.kid.1, "use": "sig", "x": x, "y": y }] }))
}

#[handler]
fn token(
    state: Data<&State>,
    Form(form): Form<HashMap<String, String>>,
    request: &poem::Request,
) -> Result<Json<Value>, poem::Error> {
    let mut state = state.lock().unwrap();
    let refused =
        |word: &'static str| poem::Error::from_string(json!({ "error": word }).to_string(), StatusCode::BAD_REQUEST);
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{encoded}")));
    if request.header("authorization") != Some(&expected) {
        return Err(refused("invalid_client"));
    }
    let (challenge, nonce) = state.codes.remove(&form["code"]).ok_or_else(|| refused("invalid_grant"))?;
    if URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes())) != challenge {
        return Err(refused("invalid_grant"));
    }
    let now = Utc::now().timestamp();
    let mut claims = json!({
        "iss": state.issuer, "aud": CLIENT, "sub": "ada", "name": "Ada", "nonce": nonce, "iat": now, "exp": now + 300,
        "roles": ["author"],
    });
    claims.as_object_mut().unwrap().extend(state.claims.as_object().unwrap().clone());
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({ "alg": state.alg, "kid": state.kid.0 })), part(claims));
    let signature = state.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    Ok(Json(json!({ "id_token": format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), "token_type": "Bearer" })))
}

impl StandIn {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state: State = Arc::new(Mutex::new(Inner {
            issuer: issuer.clone(),
            key: key(),
            kid: ("k1".to_owned(), "k1".to_owned()),
            alg: "ES256".to_owned(),
            claims: json!({}),
            codes: HashMap::new(),
            keys_asked: 0,
        }));
        let routes = Route::new()
            .at("/.well-known/openid-configuration", get(metadata))
            .at("/keys", get(keys))
            .at("/token", post(token))
            .data(Arc::clone(&state));
        tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(routes));
        Self { state, issuer }
    }

    async fn fixture(&self) -> Fixture {
        Fixture::start_with(|config| configure(config, &self.issuer)).await
    }

    /// A code for the sign-in that begins with this answer of `GET /login`.
    fn consent(&self, begun: &Response) -> HashMap<String, String> {
        let question = question(begun);
        assert!(begun.headers()["location"].to_str().unwrap().starts_with(&format!("{}/authorize?", self.issuer)));
        let code = format!("code{}", question["state"]);
        let answer = (question["code_challenge"].clone(), question["nonce"].clone());
        self.state.lock().unwrap().codes.insert(code.clone(), answer);
        HashMap::from([("code".to_owned(), code), ("state".to_owned(), question["state"].clone())])
    }

    /// The whole way of a person.
    async fn sign_in(&self, fixture: &Fixture) -> Response {
        let begun = begin(fixture, "/repositories?x=1").await;
        let answer = self.consent(&begun);
        callback(fixture, &answer, &cookie_of(&begun).unwrap()).await
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.state.lock().unwrap());
    }
}

pub(crate) fn configure(config: &mut GatewayConfig, issuer: &str) {
    config.public_url = Some("http://localhost:8080".to_owned());
    config.oidc_issuer = Some(issuer.to_owned());
    config.oidc_client_id = Some(CLIENT.to_owned());
    config.oidc_client_secret = Some(SECRET.into());
    config.oidc_name = Some("Corp".to_owned());
}

pub(crate) fn question(begun: &Response) -> HashMap<String, String> {
    let url: Url = begun.headers()["location"].to_str().unwrap().parse().unwrap();
    url.query_pairs().into_owned().collect()
}

pub(crate) async fn begin(fixture: &Fixture, to: &str) -> Response {
    let begun = fixture.http.get(format!("{}/login", fixture.base)).query(&[("to", to)]).send().await.unwrap();
    assert_eq!(begun.status(), 302);
    begun
}

pub(crate) async fn callback(fixture: &Fixture, answer: &HashMap<String, String>, cookie: &str) -> Response {
    let request = fixture.http.get(format!("{}/login/callback", fixture.base)).query(answer);
    let response = request.header("cookie", cookie).send().await.unwrap();
    assert_eq!(response.status(), 302);
    response
}

/// Where somebody is sent, and the session if there is one.
pub(crate) fn outcome(response: &Response) -> (String, Option<String>) {
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let cookies = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let session = cookies.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("cc="));
    (location, session.map(str::to_owned))
}

fn refused(code: &str) -> (String, Option<String>) {
    (format!("/sign-in?error={code}"), None)
}

#[tokio::test]
async fn people_come_in_and_out() {
    let provider = StandIn::start().await;
    let fixture = provider.fixture().await;
    let (_, ways) = answer(fixture.http.get(format!("{}/api/v1/sign-in", fixture.base)).send().await.unwrap()).await;
    assert_eq!(ways["provider"], json!({ "name": "Corp" }));
    let question = question(&begin(&fixture, "/").await);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "http://localhost:8080/login/callback"),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(question[name], value);
    }

    let response = provider.sign_in(&fixture).await;
    let (location, session) = outcome(&response);
    assert_eq!(location, "/repositories?x=1");
    let over = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .any(|cookie| cookie == "cc-login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    assert!(over, "what began is at its end: {:?}", response.headers());
    let browser = Browser { fixture: &fixture, cookie: session.expect("there is a session") };
    let (_, me) = browser.get("/api/v1/me").await;
    assert_eq!(
        (&me["role"], &me["signed_in_by"], &me["display_name"]),
        (&json!("author"), &json!("provider"), &json!("Ada"))
    );
    let external: String = sqlx::query_scalar("SELECT external_id FROM users WHERE display_name = 'Ada'")
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(external, format!("{}#ada", provider.issuer));
    let response = browser.request_to(&fixture.base, Method::DELETE, "/api/v1/session").send().await.unwrap();
    let (_, out) = answer(response).await;
    let expected = format!(
        "{}/out?client_id={CLIENT}&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fsign-in",
        provider.issuer
    );
    assert_eq!(out["provider_logout_url"], expected);
    assert_eq!(browser.get("/api/v1/me").await.0, 401);
    fixture.stop().await;
}

#[tokio::test]
async fn tokens_that_are_not_for_us_just_now_are_refused() {
    let provider = StandIn::start().await;
    let fixture = provider.fixture().await;
    let now = Utc::now().timestamp();
    for (claims, code) in [
        (json!({ "iss": "https://evil.example" }), "invalid_answer"),
        (json!({ "aud": "other" }), "invalid_answer"),
        (json!({ "nonce": "of-yesterday" }), "invalid_answer"),
        (json!({ "exp": now - 3_600 }), "invalid_answer"),
        (json!({ "iat": now + 3_600 }), "invalid_answer"),
        (json!({ "sub": "" }), "invalid_answer"),
        (json!({ "roles": [] }), "no_role"),
        (json!({ "roles": ["king"] }), "no_role"),
        (json!({ "roles": null, "_claim_names": {} }), "no_role"),
    ] {
        provider.change(|inner| inner.claims = claims.clone());
        assert_eq!(outcome(&provider.sign_in(&fixture).await), refused(code), "{claims}");
    }
    provider.change(|inner| inner.claims = json!({}));
    for alg in ["none", "HS256", "RS256"] {
        provider.change(|inner| inner.alg = alg.to_owned());
        assert_eq!(outcome(&provider.sign_in(&fixture).await), refused("invalid_answer"), "{alg}");
    }
    provider.change(|inner| inner.alg = "ES256".to_owned());
    assert!(outcome(&provider.sign_in(&fixture).await).1.is_some(), "an honest one");
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(fixture.database.pool()).await.unwrap();
    assert_eq!(users, 2, "nobody was made on the way");
    let refusals = fixture.get("/api/v1/audit?action=sign_in.refused").await.1;
    assert_eq!(refusals["items"].as_array().unwrap().len(), 12, "each is in the log");
    fixture.stop().await;
}

#[tokio::test]
async fn answers_that_belong_to_nothing_are_refused() {
    let provider = StandIn::start().await;
    let fixture = provider.fixture().await;
    let begun = begin(&fixture, "/").await;
    let cookie = cookie_of(&begun).unwrap();
    let good = provider.consent(&begun);
    let with = |name: &str, value: &str| {
        let mut answer = good.clone();
        answer.insert(name.to_owned(), value.to_owned());
        answer
    };
    for (answer, cookie, code) in [
        (good.clone(), "", "login_expired"),
        (good.clone(), "cc-login=x.y.z", "login_expired"),
        (with("state", "other"), &cookie, "login_expired"),
        (with("iss", "https://evil.example"), &cookie, "invalid_answer"),
        (with("error", "access_denied"), &cookie, "denied"),
        (with("code", "made-up"), &cookie, "denied"),
    ] {
        assert_eq!(outcome(&callback(&fixture, &answer, cookie).await), refused(code), "{answer:?}");
    }
    // The code of one browser, brought to an end in another: its verifier is not there.
    let other = begin(&fixture, "/").await;
    let mut stolen = good.clone();
    stolen.insert("state".to_owned(), question(&other)["state"].clone());
    assert_eq!(outcome(&callback(&fixture, &stolen, &cookie_of(&other).unwrap()).await), refused("denied"));
    let begun = begin(&fixture, "/").await;
    let cookie = cookie_of(&begun).unwrap();
    let once = provider.consent(&begun);
    assert!(outcome(&callback(&fixture, &once, &cookie).await).1.is_some());
    assert_eq!(outcome(&callback(&fixture, &once, &cookie).await), refused("denied"), "a code is good once");
    // A session's cookie is no sign-in under way, nor the other way round.
    let session = cookie.replacen("cc-login", "cc", 1);
    assert_eq!(Browser { fixture: &fixture, cookie: session }.get("/api/v1/me").await.0, 401);
    fixture.stop().await;
}

#[tokio::test]
async fn new_keys_are_looked_for_once_in_a_while() {
    let provider = StandIn::start().await;
    let fixture = provider.fixture().await;
    let asked = || provider.state.lock().unwrap().keys_asked;
    for _ in 0..2 {
        assert!(outcome(&provider.sign_in(&fixture).await).1.is_some());
    }
    assert_eq!(asked(), 1, "they are remembered");
    provider.change(|inner| {
        inner.key = key();
        inner.kid = ("k2".to_owned(), "k2".to_owned());
    });
    assert!(outcome(&provider.sign_in(&fixture).await).1.is_some(), "the provider has changed its key");
    assert_eq!(asked(), 2);
    provider.change(|inner| inner.kid.0 = "made-up".to_owned());
    for _ in 0..3 {
        assert_eq!(outcome(&provider.sign_in(&fixture).await), refused("invalid_answer"));
    }
    assert_eq!(asked(), 2, "not for every name that somebody makes up");
    provider.change(|inner| inner.kid.0 = "k2".to_owned());
    assert!(outcome(&provider.sign_in(&fixture).await).1.is_some(), "the good ones are kept");
    fixture.stop().await;
}

#[tokio::test]
async fn the_providers_role_is_followed_until_somebody_sets_one_here() {
    let provider = StandIn::start().await;
    let fixture = provider.fixture().await;
    let role = || async {
        let cookie = outcome(&provider.sign_in(&fixture).await).1.expect("there is a session");
        Browser { fixture: &fixture, cookie }.get("/api/v1/me").await.1["role"].as_str().unwrap().to_owned()
    };
    assert_eq!(role().await, "author");
    provider.change(|inner| inner.claims = json!({ "roles": ["viewer", "maintainer", "other"] }));
    assert_eq!(role().await, "maintainer", "the highest");
    let (_, users) = fixture.get("/api/v1/users").await;
    let ada = users["items"].as_array().unwrap().iter().find(|user| user["display_name"] == "Ada").unwrap().clone();
    assert_eq!((&ada["role"], &ada["role_source"]), (&json!("maintainer"), &json!("provider")));
    let path = format!("/api/v1/users/{}", ada["user"].as_str().unwrap());
    let change = |body: Value| {
        let (fixture, path) = (&fixture, path.clone());
        async move {
            let found = fixture.request(Method::GET, &path).send().await.unwrap();
            let tag = found.headers()["etag"].clone();
            let request = fixture.request(Method::PATCH, &path).header("if-match", tag).json(&body);
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
    };
    change(json!({ "role": "viewer" })).await;
    assert_eq!(role().await, "viewer", "the word of the administrator");
    change(json!({ "active": false })).await;
    assert_eq!(outcome(&provider.sign_in(&fixture).await), refused("inactive"));
    provider.change(|inner| inner.claims = json!({ "roles": [] }));
    assert_eq!(outcome(&provider.sign_in(&fixture).await), refused("no_role"));
    let (_, log) = fixture.get("/api/v1/audit?action=user.role_changed").await;
    let sources: Vec<&Value> =
        log["items"].as_array().unwrap().iter().map(|entry| &entry["detail"]["source"]).collect();
    assert_eq!(sources, ["local", "provider"]);
    fixture.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_away_or_another_one() {
    // Nobody listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fixture = Fixture::start_with(|config| configure(config, &format!("http://127.0.0.1:{port}"))).await;
    assert_eq!(outcome(&begin(&fixture, "/").await), refused("provider_unreachable"));
    assert_eq!(fixture.get("/api/v1/me").await.0, 200, "programs come in");
    fixture.stop().await;
    let provider = StandIn::start().await;
    let fixture = provider.fixture().await;
    provider.change(|inner| inner.issuer = "https://evil.example".to_owned());
    assert_eq!(outcome(&begin(&fixture, "/").await), refused("invalid_answer"), "it calls itself something else");
    fixture.stop().await;
    let fixture = Fixture::start().await;
    assert_eq!(outcome(&begin(&fixture, "/").await), refused("no_provider"));
    fixture.stop().await;
}
