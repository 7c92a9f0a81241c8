//! Signing in by somebody else's provider: `oidc-provider-mock` of `tests/fakes/requirements.txt`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use caffeine_testkit::{eventually, free_port};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::fixture::{DEADLINE, Fixture, answer};
use crate::oidc::{begin, configure, outcome};
use crate::sessions::{Browser, cookie_of};

/// A running provider. Its keys are new each time it starts.
struct Mock {
    child: Child,
    base: String,
    http: reqwest::Client,
}

impl Mock {
    async fn start(port: u16) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tools = std::env::var_os("CAFFEINE_TOOLS")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools")), PathBuf::from);
        let program = tools.join("fakes/bin/oidc-provider-mock");
        let child = Command::new(&program)
            .args(["--host", "127.0.0.1", "--require-nonce", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("`make test` makes {}: {error}", program.display()));
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mock = Self { child, base: format!("http://127.0.0.1:{port}"), http };
        eventually(DEADLINE, || async {
            let asked = mock.http.get(format!("{}/.well-known/openid-configuration", mock.base)).send().await;
            asked.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        mock
    }

    async fn knows(&self, sub: &str, claims: &Value) {
        let put = self.http.put(format!("{}/users/{sub}", self.base)).json(claims).send().await.unwrap();
        assert_eq!(put.status(), 204);
    }

    /// A person who is sent to the provider, agrees, and is sent back.
    async fn sign_in(&self, fixture: &Fixture, sub: &str) -> Response {
        let begun = begin(fixture, "/runs").await;
        let location = begun.headers()["location"].to_str().unwrap();
        assert!(location.starts_with(&self.base), "{location}");
        let agreed = self.http.post(location).form(&[("sub", sub)]).send().await.unwrap();
        assert_eq!(agreed.status(), 302, "{}", agreed.text().await.unwrap());
        let back = agreed.headers()["location"].to_str().unwrap();
        let back = back.strip_prefix("http://localhost:8080").expect("the address that we gave");
        let request = fixture.http.get(format!("{}{back}", fixture.base));
        request.header("cookie", cookie_of(&begun).unwrap()).send().await.unwrap()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn in_with_another_role_and_out_again() {
    let port = free_port().unwrap();
    let mock = Mock::start(port).await;
    let fixture = Fixture::start_with(|config| {
        configure(config, &mock.base);
        config.oidc_roles_claim = "realm.groups".to_owned();
        config.oidc_roles = vec!["docs-writers=author".to_owned(), "docs-admins=admin".to_owned()];
        config.session_renew_seconds = 2;
    })
    .await;
    mock.knows("ada", &json!({ "name": "Ada", "realm": { "groups": ["docs-writers"] } })).await;
    mock.knows("bob", &json!({ "name": "Bob", "realm": { "groups": ["sales"] } })).await;

    let (location, session) = outcome(&mock.sign_in(&fixture, "ada").await);
    assert_eq!(location, "/runs");
    let browser = Browser { fixture: &fixture, cookie: session.expect("there is a session") };
    let (_, me) = browser.get("/api/v1/me").await;
    assert_eq!(
        (&me["display_name"], &me["role"], &me["signed_in_by"]),
        (&json!("Ada"), &json!("author"), &json!("provider"))
    );
    let (location, session) = outcome(&mock.sign_in(&fixture, "bob").await);
    assert_eq!((location.as_str(), session), ("/sign-in?error=no_role", None));

    // The cookie is signed anew without the provider.
    let renewed = tokio::sync::Mutex::new(None);
    eventually(DEADLINE, || async {
        let response = browser.request_to(&fixture.base, Method::GET, "/api/v1/me").send().await.unwrap();
        *renewed.lock().await = cookie_of(&response);
        renewed.lock().await.is_some()
    })
    .await;
    let browser = Browser { fixture: &fixture, cookie: renewed.into_inner().unwrap() };
    assert_eq!(browser.get("/api/v1/me").await.0, 200);

    mock.knows("ada", &json!({ "name": "Ada", "realm": { "groups": ["docs-writers", "docs-admins"] } })).await;
    let (_, session) = outcome(&mock.sign_in(&fixture, "ada").await);
    let admin = Browser { fixture: &fixture, cookie: session.unwrap() };
    assert_eq!(admin.get("/api/v1/me").await.1["role"], "admin", "another role at the provider");
    assert_eq!(
        admin.get("/api/v1/users").await.1["items"].as_array().unwrap().len(),
        2,
        "the same person, and the local one"
    );

    let response = admin.request_to(&fixture.base, Method::DELETE, "/api/v1/session").send().await.unwrap();
    let (_, out) = answer(response).await;
    let page = mock.http.get(out["provider_logout_url"].as_str().unwrap()).send().await.unwrap();
    assert!(page.status().is_success() || page.status().is_redirection(), "{}", page.status());
    assert_eq!(admin.get("/api/v1/me").await.0, 401);
    fixture.stop().await;
}

#[tokio::test]
async fn the_provider_comes_back_with_other_keys() {
    let port = free_port().unwrap();
    let mock = Mock::start(port).await;
    let fixture = Fixture::start_with(|config| configure(config, &mock.base)).await;
    let ada = json!({ "name": "Ada", "roles": ["viewer"] });
    mock.knows("ada", &ada).await;
    assert!(outcome(&mock.sign_in(&fixture, "ada").await).1.is_some());
    drop(mock);
    let mock = Mock::start(port).await;
    mock.knows("ada", &ada).await;
    assert!(outcome(&mock.sign_in(&fixture, "ada").await).1.is_some(), "signed by a key that was not there before");
    fixture.stop().await;
}
