//! Users, and the last administrator.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, answer};
use crate::sessions::Browser;

async fn change(fixture: &Fixture, user: &str, tag: Option<&str>, body: &Value) -> (u16, Value) {
    let mut request = fixture.request(Method::PATCH, &format!("/api/v1/users/{user}")).json(body);
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    answer(request.send().await.unwrap()).await
}

async fn tag_of(fixture: &Fixture, user: &str) -> String {
    let response = fixture.request(Method::GET, &format!("/api/v1/users/{user}")).send().await.unwrap();
    response.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn listed_page_by_page_and_changed_once() {
    let fixture = Fixture::start().await;
    let mut made = Vec::new();
    for role in ["viewer", "author", "auditor"] {
        made.push(fixture.user(role).await.0);
    }
    let (mut seen, mut path) = (Vec::<Value>::new(), "/api/v1/users?limit=2".to_owned());
    loop {
        let (status, page) = fixture.get(&path).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/users?limit=2&cursor={next}");
    }
    let ids: Vec<Uuid> = seen.iter().map(|user| user["user"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!((ids.len(), &ids[..3]), (4, &[made[2], made[1], made[0]][..]), "newest first: {seen:?}");

    let viewer = made[0].to_string();
    let tag = tag_of(&fixture, &viewer).await;
    let (status, problem) = change(&fixture, &viewer, None, &json!({ "role": "author" })).await;
    assert_eq!((status, &problem["code"]), (428, &json!("precondition_required")));
    let (status, user) = change(&fixture, &viewer, Some(&tag), &json!({ "role": "author" })).await;
    assert_eq!((status, &user["role"], &user["role_source"]), (200, &json!("author"), &json!("local")));
    for old in [&tag[..], "*", "\"x\""] {
        let (status, problem) = change(&fixture, &viewer, Some(old), &json!({ "role": "admin" })).await;
        assert_eq!((status, &problem["code"]), (412, &json!("precondition_failed")), "{old}");
    }
    let (status, _) = change(&fixture, &viewer, Some(&tag), &json!({ "role": "king" })).await;
    assert_eq!(status, 400);
    fixture.stop().await;
}

#[tokio::test]
async fn a_change_is_felt_at_once() {
    let fixture = Fixture::start().await;
    let (user, token) = fixture.user("author").await;
    let user = user.to_string();
    let browser = Browser::sign_in(&fixture, &token).await;
    let (_, me) = browser.get("/api/v1/me").await;
    assert_eq!(me["role"], "author");
    let tag = tag_of(&fixture, &user).await;
    assert_eq!(change(&fixture, &user, Some(&tag), &json!({ "role": "viewer" })).await.0, 200);
    assert_eq!(browser.get("/api/v1/me").await.1["role"], "viewer", "another role");
    assert_eq!(browser.status(Method::POST, "/api/v1/prompts").await, 403);
    let tag = tag_of(&fixture, &user).await;
    assert_eq!(change(&fixture, &user, Some(&tag), &json!({ "active": false })).await.0, 200);
    assert_eq!(browser.get("/api/v1/me").await.0, 401, "switched off");
    let request = fixture.http.get(format!("{}/api/v1/me", fixture.base)).bearer_auth(&token);
    assert_eq!(request.send().await.unwrap().status(), 401, "the token, too");
    let tag = tag_of(&fixture, &user).await;
    assert_eq!(change(&fixture, &user, Some(&tag), &json!({ "active": true })).await.0, 200);
    assert_eq!(browser.get("/api/v1/me").await.0, 401, "the session is gone for good");
    fixture.stop().await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let fixture = Fixture::start().await;
    let (_, me) = fixture.get("/api/v1/me").await;
    let me = me["user"].as_str().unwrap().to_owned();
    let tag = tag_of(&fixture, &me).await;
    for body in [json!({ "role": "viewer" }), json!({ "active": false })] {
        let (status, problem) = change(&fixture, &me, Some(&tag), &body).await;
        assert_eq!((status, &problem["code"]), (409, &json!("last_administrator")), "{body}");
    }
    let (second, _) = fixture.user("admin").await;
    let second = second.to_string();
    // Each switches the other off at the same time: one of them stays.
    let tags = (tag_of(&fixture, &me).await, tag_of(&fixture, &second).await);
    let off = json!({ "active": false });
    let one = change(&fixture, &me, Some(&tags.0), &off);
    let other = change(&fixture, &second, Some(&tags.1), &off);
    let outcomes = tokio::join!(one, other);
    let administrators: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE role = 'admin' AND active")
        .fetch_one(fixture.database.pool())
        .await
        .unwrap();
    assert_eq!(administrators, 1, "{outcomes:?}");
    fixture.stop().await;
}
