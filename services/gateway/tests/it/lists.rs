//! Lists that are read page by page: everything is reached, nothing twice, whatever is added meanwhile.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Fixture, answer, id};
use crate::sessions::Browser;

/// Reads a list to its end, and says after the first page that something may be added.
async fn walk(fixture: &Fixture, path: &str, limit: usize, meanwhile: impl AsyncFnOnce()) -> Vec<Value> {
    let (mut meanwhile, mut found, mut cursor) = (Some(meanwhile), Vec::new(), String::new());
    loop {
        let (status, page) = fixture.get(&format!("{path}?limit={limit}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        assert!((1..=limit).contains(&items.len()), "{page}");
        found.extend(items.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(items.len(), limit, "a page is full unless it is the last");
        cursor = format!("&cursor={next}");
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile().await;
        }
    }
    assert!(meanwhile.is_none(), "more than one page");
    found
}

/// What a column of a list holds, each once.
fn column(items: &[Value], key: &str) -> Vec<String> {
    let column: Vec<String> = items.iter().map(|item| item[key].to_string()).collect();
    assert_eq!(column.iter().collect::<BTreeSet<_>>().len(), column.len(), "twice: {column:?}");
    column
}

/// What was there from the beginning, in its order, and what of the rest was met.
async fn check(fixture: &Fixture, path: &str, key: &str, add: impl AsyncFn()) -> usize {
    let (_, whole) = fixture.get(&format!("{path}?limit=200")).await;
    let before = column(whole["items"].as_array().unwrap(), key);
    assert!(whole.get("next_cursor").is_none(), "{whole}");
    assert!(before.len() >= 5, "{whole}");
    let mut added = 0;
    for limit in [1, 2] {
        let found = column(&walk(fixture, path, limit, &add).await, key);
        let (old, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| before.contains(one));
        assert_eq!(old, before, "{path} by {limit}");
        added += new.len();
    }
    added
}

async fn make(fixture: &Fixture, path: &str, body: Value) -> Value {
    let (status, made) = fixture.post(path, &body).await;
    assert_eq!(status, 201, "{made}");
    made
}

#[tokio::test]
async fn prompts_by_name_and_their_versions_by_number() {
    let fixture = Fixture::start().await;
    let (_, listed) = fixture.get("/api/v1/prompts").await;
    let built_in = listed["items"][0]["name"].as_str().unwrap();
    let template = |name: &str| json!({ "name": name, "system": "s", "body": "{code}" });
    // One of them is called as the built-in one is.
    for name in ["runbook", "Überblick", "B", built_in, "a", "Ä \u{10348}", "zebra"] {
        make(&fixture, "/api/v1/prompts", template(name)).await;
    }
    let new = std::sync::atomic::AtomicU32::new(0);
    let add = async || {
        let number = new.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for name in [format!("0 {number}"), format!("zz {number}")] {
            make(&fixture, "/api/v1/prompts", template(&name)).await;
        }
    };
    // What comes later in the alphabet is met; the second time what was added the first time, too.
    assert_eq!(check(&fixture, "/api/v1/prompts", "id", add).await, 1 + 3);

    let versions =
        format!("/api/v1/prompts/{}/versions", id(&make(&fixture, "/api/v1/prompts", template("v")).await, "/id"));
    let add = async || drop(make(&fixture, &versions, json!({ "system": "s", "body": "{code} again" })).await);
    for _ in 0..4 {
        add().await;
    }
    assert_eq!(check(&fixture, &versions, "number", add).await, 1, "the newest are at the front");

    fixture
        .execute(
            "WITH made AS (INSERT INTO prompt_templates (template_id, workspace_id, name) \
                 SELECT gen_random_uuid(), (SELECT workspace_id FROM workspaces), 'many ' || n \
                 FROM generate_series(1, 250) n RETURNING template_id) \
             INSERT INTO prompt_versions (template_version_id, template_id, number, system, body) \
             SELECT gen_random_uuid(), template_id, 1, '', '{code}' FROM made",
        )
        .await;
    let found = walk(&fixture, "/api/v1/prompts", 200, async || {}).await;
    assert_eq!(found.iter().filter(|one| one["name"].as_str().unwrap().starts_with("many ")).count(), 250);
    column(&found, "id");
    fixture.stop().await;
}

#[tokio::test]
async fn credentials_by_name() {
    let fixture = Fixture::start().await;
    let credential =
        |name: &str| json!({ "name": name, "host": "git.example", "token": { "user": "ada", "token": "s3cret" } });
    for name in ["main", "b", "A", "Ö", "zebra"] {
        make(&fixture, "/api/v1/credentials", credential(name)).await;
    }
    let new = std::sync::atomic::AtomicU32::new(0);
    let add = async || {
        let number = new.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        for name in [format!("0 {number}"), format!("zz {number}")] {
            make(&fixture, "/api/v1/credentials", credential(&name)).await;
        }
    };
    assert_eq!(check(&fixture, "/api/v1/credentials", "id", add).await, 1 + 3);
    fixture.stop().await;
}

#[tokio::test]
async fn tokens_sessions_and_webhooks_by_age() {
    let fixture = Fixture::start().await;
    let add = async || {
        drop(make(&fixture, "/api/v1/tokens", json!({ "name": "t", "scopes": ["read"], "expires_in_days": 1 })).await);
    };
    for _ in 0..5 {
        add().await;
    }
    fixture.execute("UPDATE tokens SET created_at = now()").await;
    assert_eq!(check(&fixture, "/api/v1/tokens", "token", add).await, 1, "the newest are at the front");

    let add = async || drop(Browser::sign_in(&fixture, &fixture.token).await);
    for _ in 0..5 {
        add().await;
    }
    fixture.execute("UPDATE sessions SET created_at = now()").await;
    assert_eq!(check(&fixture, "/api/v1/sessions", "session", add).await, 1, "the newest are at the front");

    let (scope, _) = fixture.add("https://git.example/a").await;
    let hooks = format!("/api/v1/repositories/{}/webhooks", scope.repository);
    let add = async || drop(make(&fixture, &hooks, json!({ "provider": "gitea" })).await);
    for _ in 0..5 {
        add().await;
    }
    fixture.execute("UPDATE webhooks SET created_at = now()").await;
    assert_eq!(check(&fixture, &hooks, "webhook", add).await, 3, "the newest are at the end");
    fixture.stop().await;
}

#[tokio::test]
async fn the_cursor_of_another_kind_of_list_is_refused() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    fixture.add("https://git.example/b").await;
    let hooks = format!("/api/v1/repositories/{}/webhooks", scope.repository);
    let template = make(&fixture, "/api/v1/prompts", json!({ "name": "mine", "system": "", "body": "{code}" })).await;
    let versions = format!("/api/v1/prompts/{}/versions", id(&template, "/id"));
    make(&fixture, &versions, json!({ "system": "s", "body": "{code}" })).await;
    let cursor_of = async |path: &str| {
        let (_, page) = fixture.get(&format!("{path}?limit=1")).await;
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let by_age = cursor_of("/api/v1/repositories").await;
    let by_name = cursor_of("/api/v1/prompts").await;
    let by_number = cursor_of(&versions).await;
    let lists = [
        ("/api/v1/repositories", &by_age),
        ("/api/v1/tokens", &by_age),
        ("/api/v1/sessions", &by_age),
        (&hooks, &by_age),
        ("/api/v1/prompts", &by_name),
        ("/api/v1/credentials", &by_name),
        (&versions, &by_number),
    ];
    for (path, own) in lists {
        for cursor in [&by_age, &by_name, &by_number] {
            let (status, page) = fixture.get(&format!("{path}?cursor={cursor}")).await;
            assert_eq!(status, if cursor == own { 200 } else { 400 }, "{path} {cursor}: {page}");
        }
        let long = "6e".repeat(2_000);
        for cursor in ["", "zz", "00", "6e00", &by_age[2..], &by_age[..by_age.len() - 2], &long] {
            let (status, problem) = fixture.get(&format!("{path}?cursor={cursor}")).await;
            assert_eq!((status, &problem["code"]), (400, &json!("bad_cursor")), "{path} {cursor}");
        }
        for limit in ["0", "201"] {
            let asked = fixture.request(Method::GET, &format!("{path}?limit={limit}"));
            let (status, problem) = answer(asked.send().await.unwrap()).await;
            assert_eq!((status, &problem["code"]), (400, &json!("bad_limit")), "{path} {limit}");
        }
    }
    fixture.stop().await;
}
