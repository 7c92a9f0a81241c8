//! Credentials: they go in, are sealed, and do not come out.

use caffeine_contract::{Message, v1};
use caffeine_model::CredentialId;
use caffeine_sealed::{Binding, Secret, open};
use caffeine_testkit::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{DEADLINE, Fixture, answer, id};

const CREDENTIALS: &str = "/api/v1/credentials";

fn token(name: &str, host: &str) -> Value {
    json!({ "name": name, "host": host, "token": { "user": "ada", "token": "s3cret" } })
}

/// Opens what is stored, as the cloner does.
async fn opened(fixture: &Fixture, credential: Uuid) -> Option<Secret> {
    let workspace = fixture.workspace().await;
    let id = CredentialId::from_uuid(credential);
    let row = fixture.store.sealed_credential(workspace, id).await.unwrap()?;
    assert!(!row.sealed.windows(6).any(|window| window == b"s3cret"), "not in clear");
    let binding = Binding { workspace, credential: id, kind: row.kind.parse().unwrap(), host: &row.host };
    Some(open(&fixture.credential_key, &binding, &row.sealed).unwrap())
}

fn decoded<M: Message>(body: bytes::Bytes) -> M {
    M::decode(body).unwrap()
}

fn token_of(secret: &Secret) -> &str {
    let Secret::Token { token, .. } = secret else { panic!("a token") };
    token
}

#[tokio::test]
async fn a_credential_is_sealed_replaced_and_deleted() {
    let fixture = Fixture::start().await;
    let (status, added) = fixture.post(CREDENTIALS, &token("main", "Git.Corp")).await;
    assert_eq!(status, 201, "{added}");
    assert_eq!(
        (&added["kind"], &added["host"], &added["repositories"]),
        (&json!("token"), &json!("git.corp:443"), &json!(0))
    );
    let credential = id(&added, "/id");
    assert_eq!(token_of(&opened(&fixture, credential).await.unwrap()), "s3cret");
    let (_, listed) = fixture.get(CREDENTIALS).await;
    assert_eq!(listed["items"], json!([added]));
    assert!(!listed.to_string().contains("s3cret") && listed["items"][0]["token"].is_null(), "{listed}");

    let path = format!("{CREDENTIALS}/{credential}");
    let put = async |body: Value| answer(fixture.request(Method::PUT, &path).json(&body).send().await.unwrap()).await;
    let (status, replaced) = put(json!({ "token": { "user": "ada", "token": "s3cret-2" } })).await;
    assert_eq!(status, 200, "{replaced}");
    assert!(replaced["replaced_at"].is_string());
    assert_eq!(token_of(&opened(&fixture, credential).await.unwrap()), "s3cret-2");
    let certificates = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let (status, problem) = put(json!({ "authority": certificates })).await;
    assert_eq!((status, &problem["code"]), (422, &json!("credential_kind")));

    let (status, _) = fixture.post(CREDENTIALS, &token("main", "git.corp")).await;
    assert_eq!(status, 409, "the name is taken");
    let delete = || async { fixture.request(Method::DELETE, &path).send().await.unwrap().status().as_u16() };
    assert_eq!((delete().await, delete().await), (204, 404));
    assert!(opened(&fixture, credential).await.is_none());
    let (status, _) = put(json!({ "token": { "user": "ada", "token": "x" } })).await;
    assert_eq!(status, 404);
    fixture.stop().await;
}

#[tokio::test]
async fn a_repository_is_cloned_with_its_credential() {
    let fixture = Fixture::start().await;
    let (_, added) = fixture.post(CREDENTIALS, &token("main", "git.corp")).await;
    let credential = id(&added, "/id");
    let body = json!({ "url": "https://git.corp/a", "credential": credential });
    let (status, repository) = fixture.post("/api/v1/repositories", &body).await;
    assert_eq!(status, 201, "{repository}");
    eventually(DEADLINE, || async { fixture.outbox().await == 0 }).await;
    let name = format!("{}_CLONE", fixture.nats.prefix());
    let stream = fixture.nats.jetstream().get_stream(name).await.unwrap();
    let message = stream.get_raw_message(1).await.unwrap();
    let request = decoded::<v1::CloneRequested>(message.payload.clone());
    assert_eq!(request.credential_id.as_ref(), credential.as_bytes(), "the message names it");
    let (_, listed) = fixture.get(CREDENTIALS).await;
    assert_eq!(listed["items"][0]["repositories"], 1);

    // It goes, the repository stays.
    let path = format!("{CREDENTIALS}/{credential}");
    assert_eq!(fixture.request(Method::DELETE, &path).send().await.unwrap().status().as_u16(), 204);
    let (status, _) = fixture.get(&format!("/api/v1/repositories/{}", id(&repository, "/repository/id"))).await;
    assert_eq!(status, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn address_and_credential_must_go_together() {
    let fixture = Fixture::start().await;
    let (_, added) = fixture.post(CREDENTIALS, &token("main", "git.corp")).await;
    let token = id(&added, "/id");
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----";
    let body = json!({ "name": "key", "host": "git.corp",
        "ssh_key": { "private_key": key, "known_hosts": "git.corp ssh-ed25519 AAAA" } });
    let (status, added) = fixture.post(CREDENTIALS, &body).await;
    assert_eq!((status, &added["host"]), (201, &json!("git.corp:22")), "{added}");
    let key = id(&added, "/id");
    let stranger = Uuid::new_v4();
    for (url, credential, code, pointer) in [
        ("https://evil.example/a", token, "credential_other_host", "/credential"),
        ("http://git.corp:443/a", token, "url_scheme_refused", "/url"),
        ("git@git.corp:a", token, "url_scheme_refused", "/url"),
        ("https://git.corp/a", key, "url_scheme_refused", "/url"),
        ("ssh://-oProxyCommand=x/a", key, "url_malformed", "/url"),
        ("https://git.corp/a", stranger, "credential_unknown", "/credential"),
    ] {
        let body = json!({ "url": url, "credential": credential });
        let (status, problem) = fixture.post("/api/v1/repositories", &body).await;
        assert_eq!((status, &problem["code"]), (422, &json!(code)), "{url}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let body = json!({ "url": "git@git.corp:team/a.git", "credential": key });
    let (status, added) = fixture.post("/api/v1/repositories", &body).await;
    assert_eq!((status, &added["repository"]["name"]), (201, &json!("a")), "{added}");
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_no_credential_is_refused_and_not_quoted() {
    let fixture = Fixture::start().await;
    for (body, pointer) in [
        (json!({ "name": "a", "host": "git.corp" }), ""),
        (json!({ "name": "a", "host": "https://git.corp", "token": { "user": "a", "token": "s3cret" } }), "/host"),
        (json!({ "name": "a", "host": "git.corp", "token": { "user": "a:b", "token": "s3cret" } }), "/token/user"),
        (json!({ "name": "a", "host": "git.corp", "token": { "user": "a", "token": "s3cret x" } }), "/token/token"),
        (
            json!({ "name": "a", "host": "h", "ssh_key": { "private_key": "s3cret", "known_hosts": "h k v" } }),
            "/ssh_key/private_key",
        ),
        (json!({ "name": "a", "host": "h", "authority": "s3cret" }), "/authority"),
    ] {
        let (status, problem) = fixture.post(CREDENTIALS, &body).await;
        assert_eq!((status, &problem["code"]), (422, &json!("credential_refused")), "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(!problem.to_string().contains("s3cret"), "{problem}");
    }
    // A value of the wrong type: the reader's own words must not quote it either.
    let body = json!({ "name": "a", "host": "git.corp", "token": "s3cret" });
    let (status, problem) = fixture.post(CREDENTIALS, &body).await;
    assert_eq!(status, 400);
    assert!(!problem.to_string().contains("s3cret"), "{problem}");
    fixture.stop().await;
}

#[tokio::test]
async fn a_test_of_a_connection_is_answered_by_the_cloner() {
    let fixture = Fixture::start().await;
    let (_, added) = fixture.post(CREDENTIALS, &token("main", "git.corp")).await;
    let credential = id(&added, "/id");
    let name = format!("{}_CLONE", fixture.nats.prefix());
    // Stands for the cloner: answers what is asked next.
    let cloner = |number: u64, failure: Option<v1::Failure>| {
        let (jetstream, bus, name) = (fixture.nats.jetstream().clone(), fixture.bus.clone(), name.clone());
        tokio::spawn(async move {
            let stream = jetstream.get_stream(name).await.unwrap();
            let asked = caffeine_testkit::eventually_some(DEADLINE, || async {
                let message = stream.get_raw_message(number).await.ok()?;
                Some(decoded::<v1::CloneProbe>(message.payload))
            });
            let asked = asked.await;
            let default_ref = if failure.is_none() { "refs/heads/main".to_owned() } else { String::new() };
            let answered = v1::ProbeAnswered { probe_id: asked.probe_id, failure, default_ref };
            let event = v1::event::Event::ProbeAnswered(answered);
            bus.emit("probe_answered", v1::Event { scope: asked.scope, event: Some(event) });
            asked.credential_id
        })
    };
    let path = "/api/v1/repositories/test-connection";
    let body = json!({ "url": "https://git.corp/a", "credential": credential });
    let answering = cloner(1, None);
    let (status, answer) = fixture.post(path, &body).await;
    assert_eq!((status, answer), (200, json!({ "readable": true, "default_ref": "refs/heads/main" })));
    assert_eq!(answering.await.unwrap().as_ref(), credential.as_bytes());
    let failure = v1::Failure { code: "not_found".to_owned(), reason: "There is none: look again".to_owned() };
    let answering = cloner(2, Some(failure));
    let (_, answer) = fixture.post(path, &json!({ "url": "https://git.corp/b" })).await;
    assert_eq!(answer, json!({ "readable": false, "code": "not_found", "reason": "There is none: look again" }));
    answering.await.unwrap();
    let (status, _) = fixture.post(path, &json!({ "url": "file:///etc" })).await;
    assert_eq!(status, 422);
    fixture.stop().await;
}
