//! Browsers: sessions, their cookies, and pages of other origins.

use std::time::Duration;

use caffeine_gateway::generate_session_key;
use caffeine_testkit::eventually;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::fixture::{DEADLINE, Fixture, answer};

/// A browser that has the cookie of a session.
pub(crate) struct Browser<'a> {
    pub(crate) fixture: &'a Fixture,
    pub(crate) cookie: String,
}

/// The cookie that an answer sets, as `name=value`.
pub(crate) fn cookie_of(response: &Response) -> Option<String> {
    let header = response.headers().get("set-cookie")?.to_str().unwrap();
    Some(header.split(';').next().unwrap().to_owned())
}

impl<'a> Browser<'a> {
    pub(crate) async fn sign_in(fixture: &'a Fixture, token: &str) -> Self {
        let response = open(fixture, token).await;
        assert_eq!(response.status(), 204);
        Self { fixture, cookie: cookie_of(&response).expect("a cookie is set") }
    }

    pub(crate) fn request_to(&self, base: &str, method: Method, path: &str) -> RequestBuilder {
        let request = self.fixture.http.request(method, format!("{base}{path}"));
        request.header("cookie", &self.cookie).header("sec-fetch-site", "same-origin")
    }

    pub(crate) async fn status(&self, method: Method, path: &str) -> u16 {
        self.request_to(&self.fixture.base, method, path).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request_to(&self.fixture.base, Method::GET, path).send().await.unwrap()).await
    }
}

async fn open(fixture: &Fixture, token: &str) -> Response {
    let request = fixture.http.post(format!("{}/api/v1/session", fixture.base));
    request.header("sec-fetch-site", "same-origin").json(&json!({ "token": token })).send().await.unwrap()
}

#[tokio::test]
async fn signing_in_and_out_with_a_token() {
    let fixture = Fixture::start().await;
    let (status, ways) =
        answer(fixture.http.get(format!("{}/api/v1/sign-in", fixture.base)).send().await.unwrap()).await;
    assert_eq!((status, ways), (200, json!({ "token": true })));

    let response = open(&fixture, &fixture.token).await;
    let header = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(header.starts_with("cc=") && header.ends_with("; HttpOnly; SameSite=Lax"), "{header}");
    let browser = Browser { fixture: &fixture, cookie: cookie_of(&response).unwrap() };
    let (status, me) = browser.get("/api/v1/me").await;
    assert_eq!(status, 200);
    assert_eq!((&me["role"], &me["signed_in_by"]), (&json!("admin"), &json!("token")), "{me}");
    assert_eq!((&me["display_name"], &me["workspace_name"]), (&json!("Administrator"), &json!("default")), "{me}");
    assert_eq!(me["scopes"], json!(["read", "write", "admin"]));

    let other = Browser::sign_in(&fixture, &fixture.token).await;
    let (_, sessions) = browser.get("/api/v1/sessions").await;
    let current: Vec<bool> =
        sessions["items"].as_array().unwrap().iter().map(|session| session["current"] == true).collect();
    assert_eq!(current, [false, true], "the newest first: {sessions}");
    let path = format!("/api/v1/sessions/{}", sessions["items"][0]["session"].as_str().unwrap());
    assert_eq!(browser.status(Method::DELETE, &path).await, 204);
    assert_eq!(other.get("/api/v1/me").await.0, 401, "ended by the first one");

    let response = browser.request_to(&fixture.base, Method::DELETE, "/api/v1/session").send().await.unwrap();
    assert_eq!(cookie_of(&response).unwrap(), "cc=", "the browser forgets it");
    assert_eq!(answer(response).await, (200, json!({})));
    let response = browser.request_to(&fixture.base, Method::GET, "/api/v1/me").send().await.unwrap();
    assert_eq!((response.status().as_u16(), cookie_of(&response).as_deref()), (401, Some("cc=")));
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(fixture.database.pool()).await.unwrap();
    assert_eq!(rows, 0);
    fixture.stop().await;
}

#[tokio::test]
async fn nobody_comes_in_with_something_else() {
    let fixture = Fixture::start().await;
    for token in ["", "admin", &format!("cc_{}", "a".repeat(43))] {
        let response = open(&fixture, token).await;
        assert!(cookie_of(&response).is_none());
        let (status, problem) = answer(response).await;
        assert_eq!((status, &problem["code"]), (401, &json!("token_refused")), "{token}");
    }
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    let (signed, _) = browser.cookie.rsplit_once('.').unwrap();
    for cookie in ["cc=", "cc=x.y.z", &format!("{signed}."), &format!("{}; {0}", browser.cookie), "__Host-cc=x"] {
        let stranger = Browser { fixture: &fixture, cookie: cookie.to_owned() };
        assert_eq!(stranger.get("/api/v1/me").await.0, 401, "{cookie}");
    }
    // A bearer that is wrong is not made good by a cookie.
    let request = browser.request_to(&fixture.base, Method::GET, "/api/v1/me").bearer_auth("cc_wrong");
    assert_eq!(request.send().await.unwrap().status(), 401);
    fixture.stop().await;
}

#[tokio::test]
async fn signing_in_with_a_token_can_be_switched_off() {
    let fixture = Fixture::start_with(|config| config.token_sign_in = false).await;
    let (status, problem) = answer(open(&fixture, &fixture.token).await).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
    let (_, ways) = answer(fixture.http.get(format!("{}/api/v1/sign-in", fixture.base)).send().await.unwrap()).await;
    assert_eq!(ways["token"], false);
    fixture.stop().await;
    let fixture = Fixture::start_with(|config| config.session_keys = None).await;
    assert_eq!(open(&fixture, &fixture.token).await.status(), 403, "without keys");
    assert_eq!(fixture.get("/api/v1/me").await.0, 200, "programs come in");
    fixture.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing() {
    let fixture = Fixture::start().await;
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    let host = fixture.base.trim_start_matches("http://").to_owned();
    let path = format!("{}/api/v1/prompts", fixture.base);
    let body = json!({ "name": "", "system": "", "body": "" });
    let ours = [("sec-fetch-site", "same-origin".to_owned())];
    let typed = [("sec-fetch-site", "none".to_owned())];
    let old_browser = [("origin", format!("http://{host}"))];
    for (headers, status, code) in [
        (&ours[..], 422, "name_missing"),
        (&typed, 422, "name_missing"),
        (&old_browser, 422, "name_missing"),
        (&[], 403, "foreign_origin"),
        (&[("sec-fetch-site", "cross-site".to_owned())], 403, "foreign_origin"),
        (&[("sec-fetch-site", "same-site".to_owned())], 403, "foreign_origin"),
        (&[("origin", "https://evil.example".to_owned())], 403, "foreign_origin"),
        (&[("origin", "null".to_owned())], 403, "foreign_origin"),
    ] {
        let mut request = fixture.http.post(&path).header("cookie", &browser.cookie).json(&body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (given, problem) = answer(request.send().await.unwrap()).await;
        assert_eq!((given, problem["code"].as_str()), (status, Some(code)), "{headers:?}");
    }
    let form = browser.request_to(&fixture.base, Method::POST, "/api/v1/prompts");
    let form = form.header("content-type", "text/plain").body(body.to_string());
    assert_eq!(answer(form.send().await.unwrap()).await.0, 415, "a form could send this");
    let program =
        fixture.http.post(&path).bearer_auth(&fixture.token).header("sec-fetch-site", "cross-site").json(&body);
    assert_eq!(answer(program.send().await.unwrap()).await.0, 422, "nobody sends a bearer unasked");
    let foreign_sign_in = fixture.http.post(format!("{}/api/v1/session", fixture.base));
    let foreign_sign_in =
        foreign_sign_in.header("sec-fetch-site", "cross-site").json(&json!({ "token": fixture.token }));
    assert_eq!(answer(foreign_sign_in.send().await.unwrap()).await.1["code"], "foreign_origin");
    fixture.stop().await;
}

#[tokio::test]
async fn a_cookie_is_signed_anew_while_the_session_lives() {
    let fixture = Fixture::start_with(|config| config.session_renew_seconds = 2).await;
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    let renewed = tokio::sync::Mutex::new(None);
    // The first one expires after two seconds, and is taken all the same: the row decides.
    eventually(DEADLINE, || async {
        let response = browser.request_to(&fixture.base, Method::GET, "/api/v1/me").send().await.unwrap();
        assert_eq!(response.status(), 200);
        *renewed.lock().await = cookie_of(&response);
        renewed.lock().await.is_some()
    })
    .await;
    let cookie = renewed.into_inner().unwrap();
    assert_ne!(cookie, browser.cookie);
    let later = Browser { fixture: &fixture, cookie };
    assert_eq!(later.get("/api/v1/me").await.0, 200);
    fixture.execute("UPDATE sessions SET last_seen_at = now() - interval '61 minutes'").await;
    // Both are old by now, or will be: then the row is asked.
    eventually(DEADLINE, || async { later.get("/api/v1/me").await.0 == 401 }).await;
    fixture.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_its_row_its_user_and_its_token() {
    let fixture = Fixture::start_with(|config| config.session_cache_seconds = 0).await;
    for (change, back) in [
        ("UPDATE sessions SET expires_at = now()", "UPDATE sessions SET expires_at = now() + interval '1 hour'"),
        (
            "UPDATE sessions SET last_seen_at = now() - interval '61 minutes'",
            "UPDATE sessions SET last_seen_at = now()",
        ),
        ("UPDATE users SET active = false", "UPDATE users SET active = true"),
        (
            "UPDATE tokens SET expires_at = now()",
            "UPDATE tokens SET expires_at = now() + interval '1 day'; DELETE FROM sessions",
        ),
    ] {
        let browser = Browser::sign_in(&fixture, &fixture.token).await;
        assert_eq!(browser.get("/api/v1/me").await.0, 200);
        fixture.execute(change).await;
        assert_eq!(browser.get("/api/v1/me").await.0, 401, "{change}");
        fixture.execute(back).await;
    }
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    fixture.execute("DELETE FROM tokens").await;
    assert_eq!(browser.get("/api/v1/me").await.0, 401, "the token was revoked");
    fixture.stop().await;
}

#[tokio::test]
async fn another_replica_notices_the_end_in_time() {
    let fixture = Fixture::start().await;
    let other = fixture.another(|config| config.session_cache_seconds = 2).await;
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    let at_other =
        || async { browser.request_to(&other, Method::GET, "/api/v1/me").send().await.unwrap().status().as_u16() };
    assert_eq!(at_other().await, 200, "one key ring for both");
    assert_eq!(browser.status(Method::DELETE, "/api/v1/session").await, 200);
    assert_eq!(browser.get("/api/v1/me").await.0, 401, "here at once");
    eventually(Duration::from_secs(10), || async { at_other().await == 401 }).await;
    fixture.stop().await;
}

#[tokio::test]
async fn keys_are_changed_without_anybody_noticing() {
    let (old, new) = (generate_session_key().unwrap(), generate_session_key().unwrap());
    let fixture = Fixture::start_with(|config| config.session_keys = Some(old.clone().into())).await;
    let browser = Browser::sign_in(&fixture, &fixture.token).await;
    let at = |base: String| {
        let request = browser.request_to(&base, Method::GET, "/api/v1/me");
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for (keys, expected) in [(format!("{old}\n{new}\n"), 200), (format!("{new}\n{old}\n"), 200), (new.clone(), 401)] {
        let base = fixture.another(|config| config.session_keys = Some(keys.into())).await;
        assert_eq!(at(base).await, expected);
    }
    fixture.stop().await;
}
