//! Hooks of git hosts: managed, signed, replayed, and the runs that they ask for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caffeine_testkit::eventually;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::fixture::{DEADLINE, Fixture, answer, course, id};

const GITHUB: &str = include_str!("../webhooks/github-push.json");
const GITLAB: &str = include_str!("../webhooks/gitlab-push.json");
const GITEA: &str = include_str!("../webhooks/gitea-push.json");

fn mac(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}

/// What a host sends with a push.
fn signed(provider: &str, secret: &str, delivery: &str, body: &str) -> Vec<(&'static str, String)> {
    let hex = hex::encode(mac(secret.as_bytes(), &[body]));
    match provider {
        "github" => vec![
            ("x-github-event", "push".to_owned()),
            ("x-github-delivery", delivery.to_owned()),
            ("x-hub-signature-256", format!("sha256={hex}")),
        ],
        "gitea" => vec![
            ("x-gitea-event", "push".to_owned()),
            ("x-gitea-delivery", delivery.to_owned()),
            ("x-gitea-signature", hex),
        ],
        "gitlab" => vec![
            ("x-gitlab-event", "Push Hook".to_owned()),
            ("x-gitlab-event-uuid", delivery.to_owned()),
            ("x-gitlab-token", secret.to_owned()),
        ],
        _ => {
            let timestamp = chrono::Utc::now().timestamp().to_string();
            let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
            let signature = STANDARD.encode(mac(&key, &[delivery, ".", &timestamp, ".", body]));
            vec![
                ("x-gitlab-event", "Push Hook".to_owned()),
                ("webhook-id", delivery.to_owned()),
                ("webhook-timestamp", timestamp),
                ("webhook-signature", format!("v1,{signature}")),
            ]
        }
    }
}

struct Hook<'a> {
    fixture: &'a Fixture,
    path: String,
    secret: String,
}

impl<'a> Hook<'a> {
    async fn make(fixture: &'a Fixture, repository: Uuid, provider: &str) -> Self {
        let path = format!("/api/v1/repositories/{repository}/webhooks");
        let (status, made) = fixture.post(&path, &json!({ "provider": provider })).await;
        assert_eq!(status, 201, "{made}");
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Self { fixture, path: text("url_path"), secret: text("secret") }
    }

    /// Delivers without a token, as a git host does.
    async fn deliver(&self, headers: &[(&'static str, String)], body: &str) -> Response {
        let url = format!("{}{}", self.fixture.base, self.path);
        let mut request = self.fixture.http.post(url).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.header("content-type", "application/json").send().await.unwrap()
    }

    async fn push(&self, provider: &str, delivery: &str, body: &str) -> (u16, Value) {
        let headers = signed(provider, &self.secret, delivery, body);
        answer(self.deliver(&headers, body).await).await
    }
}

async fn runs(fixture: &Fixture) -> usize {
    fixture.get("/api/v1/runs").await.1["items"].as_array().unwrap().len()
}

/// Adds a repository whose first run has ended; its identifier.
async fn documented(fixture: &Fixture, url: &str, reference: &str) -> Uuid {
    let (_, prompts) = fixture.get("/api/v1/prompts").await;
    let wanted = json!({ "url": url, "ref": reference, "documents": [
        { "writer": "template", "template_id": prompts["items"][0]["id"], "style": "terse" },
    ] });
    let (_, added) = fixture.post("/api/v1/repositories", &wanted).await;
    let scope = fixture.scope(id(&added, "/repository/id"), id(&added, "/run/id")).await;
    let document = id(&added, "/run/documents/0/id");
    for transition in course(&[document]) {
        fixture.report(&scope, transition).await;
    }
    fixture.reaches(scope.run, "completed").await;
    scope.repository.as_uuid()
}

#[tokio::test]
async fn a_push_from_each_host_starts_a_run_of_the_same_documents() {
    let fixture = Fixture::start().await;
    for (number, (provider, hook, reference, body)) in [
        ("github", "github", "", GITHUB),
        ("gitlab", "gitlab", "develop", GITLAB),
        ("standard", "gitlab", "develop", GITLAB),
        ("gitea", "gitea", "main", GITEA),
    ]
    .into_iter()
    .enumerate()
    {
        let url = format!("https://git.example/{number}");
        let repository = documented(&fixture, &url, reference).await;
        let hook = Hook::make(&fixture, repository, hook).await;
        let before = runs(&fixture).await;
        let (status, said) = hook.push(provider, "one", body).await;
        assert_eq!((status, &said["status"]), (202, &json!("run_requested")), "{provider}: {said}");
        assert_eq!(runs(&fixture).await, before + 1, "{provider}");
        let (_, listed) = fixture.get("/api/v1/runs?limit=1").await;
        let (_, run) = fixture.get(&format!("/api/v1/runs/{}", id(&listed["items"][0], "/id"))).await;
        assert_eq!(run["repository_id"], repository.to_string());
        assert!(run["documents"][0]["template_version_id"].is_string(), "{provider}: {run}");
        // The same again, and the same signed body under another name: nothing. What GitLab signs has the name in it.
        assert_eq!(hook.push(provider, "one", body).await.1["status"], "known", "{provider}");
        if matches!(provider, "github" | "gitea") {
            assert_eq!(hook.push(provider, "two", body).await.1["status"], "known", "{provider}");
        }
        assert_eq!(runs(&fixture).await, before + 1, "{provider}");
        let (_, hooks) = fixture.get(&format!("/api/v1/repositories/{repository}/webhooks")).await;
        assert_eq!(hooks["items"][0]["last_status"], 202);
        assert!(hooks["items"][0]["last_delivery_at"].is_string() && hooks["items"][0].get("secret").is_none());
    }
    // What is cloned is what was stored; nothing of a payload is.
    let (_, repositories) = fixture.get("/api/v1/repositories").await;
    assert!(!repositories.to_string().contains("evil.example"));
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    fixture.stop().await;
}

#[tokio::test]
async fn any_number_of_pushes_is_one_waiting_run() {
    let fixture = Fixture::start().await;
    let repository = documented(&fixture, "https://git.example/a", "main").await;
    let hook = Hook::make(&fixture, repository, "github").await;
    let before = runs(&fixture).await;
    for number in 0..10 {
        let body = GITHUB.replace("59b20b8d", &format!("{number}9b20b8d"));
        let (status, said) = hook.push("github", &format!("delivery {number}"), &body).await;
        assert_eq!((status, &said["status"]), (202, &json!("run_requested")));
    }
    assert_eq!(runs(&fixture).await, before + 2, "one works, one waits");
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_an_unknown_hook_alike() {
    let fixture = Fixture::start().await;
    let repository = documented(&fixture, "https://git.example/a", "main").await;
    let hook = Hook::make(&fixture, repository, "github").await;
    let before = runs(&fixture).await;
    let good = signed("github", &hook.secret, "one", GITHUB);
    let unknown = Hook { fixture: &fixture, path: format!("/hooks/{}", Uuid::nil()), secret: hook.secret.clone() };
    let odd = Hook { fixture: &fixture, path: "/hooks/odd".to_owned(), secret: hook.secret.clone() };
    let mut answers = Vec::new();
    for (hook, headers, body) in [
        (&hook, &good[..], &GITHUB[1..]),
        (&hook, &good[..2], GITHUB),
        (&hook, &signed("github", "another secret", "one", GITHUB)[..], GITHUB),
        (&hook, &signed("gitlab", &hook.secret, "one", GITHUB)[..], GITHUB),
        (&unknown, &good[..], GITHUB),
        (&odd, &good[..], GITHUB),
    ] {
        let response = hook.deliver(headers, body).await;
        let headers = response.headers().clone();
        let (status, problem) = answer(response).await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("bad_signature")), "{problem}");
        answers.push((problem.to_string(), headers.get("content-length").cloned()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "they cannot be told apart: {answers:?}");
    assert_eq!(runs(&fixture).await, before);
    let (_, hooks) = fixture.get(&format!("/api/v1/repositories/{repository}/webhooks")).await;
    assert!(hooks["items"][0].get("last_status").is_none(), "nothing is stored for whoever cannot sign");

    // Only posts, and not without end.
    let other = fixture.request(Method::GET, &hook.path).send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let large = " ".repeat(5 * 1024 * 1024 + 1);
    assert_eq!(answer(hook.deliver(&good, &large).await).await.0, 413);
    let roomy = format!("{GITHUB}{}", " ".repeat(4 * 1024 * 1024));
    assert_eq!(hook.push("github", "roomy", &roomy).await.0, 202);
    fixture.stop().await;
}

#[tokio::test]
async fn other_events_and_refs_change_nothing() {
    let fixture = Fixture::start().await;
    let repository = documented(&fixture, "https://git.example/a", "stable").await;
    let hook = Hook::make(&fixture, repository, "github").await;
    let before = runs(&fixture).await;
    let (status, said) = hook.push("github", "another branch", GITHUB).await;
    assert_eq!((status, &said["status"]), (202, &json!("nothing_to_do")));
    let mut ping = signed("github", &hook.secret, "ping", "{}");
    ping[0].1 = "ping".to_owned();
    assert_eq!(answer(hook.deliver(&ping, "{}").await).await.0, 202);
    let form = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fstable%22%7D";
    let (status, problem) = hook.push("github", "form", form).await;
    assert_eq!((status, &problem["code"]), (400, &json!("delivery_malformed")));
    assert_eq!(runs(&fixture).await, before);
    fixture.stop().await;
}

#[tokio::test]
async fn a_secret_is_renewed_and_a_hook_is_deleted() {
    let fixture = Fixture::start().await;
    let repository = documented(&fixture, "https://git.example/a", "main").await;
    let hook = Hook::make(&fixture, repository, "gitea").await;
    let managed = format!("/api/v1/repositories/{repository}/webhooks/{}", hook.path.trim_start_matches("/hooks/"));
    let (status, renewed) = fixture.post(&format!("{managed}/secret"), &json!({})).await;
    assert_eq!(status, 200, "{renewed}");
    let fresh =
        Hook { fixture: &fixture, path: hook.path.clone(), secret: renewed["secret"].as_str().unwrap().to_owned() };
    assert_ne!(fresh.secret, hook.secret);
    assert_eq!(fresh.push("gitea", "one", GITEA).await.0, 202);
    assert_eq!(hook.push("gitea", "two", GITEA).await.0, 202, "the one before is good for a day");
    fixture.execute("UPDATE webhooks SET renewed_at = now() - interval '25 hours'").await;
    assert_eq!(hook.push("gitea", "three", GITEA).await.0, 401);
    assert_eq!(fresh.push("gitea", "three", GITEA).await.0, 202);

    // Of another repository it is not found.
    let (other, _) = fixture.add("https://git.example/b").await;
    let foreign = managed.replace(&repository.to_string(), &other.repository.to_string());
    assert_eq!(answer(fixture.request(Method::DELETE, &foreign).send().await.unwrap()).await.0, 404);
    assert_eq!(fixture.request(Method::DELETE, &managed).send().await.unwrap().status(), 204);
    assert_eq!(fresh.push("gitea", "four", GITEA).await.0, 401);
    let unknown = format!("/api/v1/repositories/{}/webhooks", Uuid::nil());
    assert_eq!(fixture.post(&unknown, &json!({ "provider": "github" })).await.0, 404);
    assert_eq!(fixture.get(&unknown).await.0, 404);
    let (status, _) =
        fixture.post(&format!("/api/v1/repositories/{repository}/webhooks"), &json!({ "provider": "x" })).await;
    assert_eq!(status, 400);
    fixture.stop().await;
}
