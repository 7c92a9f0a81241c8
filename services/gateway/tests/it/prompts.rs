//! Prompt templates.

use caffeine_testkit::eventually;
use serde_json::json;

use crate::fixture::{DEADLINE, Fixture, id};

#[tokio::test]
async fn versions_never_change() {
    let fixture = Fixture::start().await;
    let (_, listed) = fixture.get("/api/v1/prompts").await;
    let built_in = &listed["items"][0];
    assert_eq!((&built_in["built_in"], &built_in["latest_version"]), (&json!(true), &json!(1)));
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);

    let body = json!({ "name": "mine", "description": "d", "system": "s", "body": "one {code}" });
    let (status, made) = fixture.post("/api/v1/prompts", &body).await;
    assert_eq!((status, &made["latest_version"]), (201, &json!(1)));
    let (status, problem) = fixture.post("/api/v1/prompts", &body).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("name_taken")));

    let path = format!("/api/v1/prompts/{}", id(&made, "/id"));
    let (status, changed) =
        fixture.post(&format!("{path}/versions"), &json!({ "system": "s", "body": "two {code}" })).await;
    assert_eq!((status, &changed["latest_version"]), (201, &json!(2)));
    let (_, read) = fixture.get(&path).await;
    let bodies: Vec<_> = read["versions"].as_array().unwrap().iter().map(|v| (&v["number"], &v["body"])).collect();
    assert_eq!(bodies, [(&json!(2), &json!("two {code}")), (&json!(1), &json!("one {code}"))]);

    let of_built_in = format!("/api/v1/prompts/{}/versions", id(built_in, "/id"));
    let (status, problem) = fixture.post(&of_built_in, &json!({ "system": "", "body": "{code}" })).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("template_built_in")));
    for body in ["no placeholder", "{code} {unknown}"] {
        let (status, problem) = fixture.post(&format!("{path}/versions"), &json!({ "system": "", "body": body })).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some("template_refused")), "{body}");
    }

    // Not even a statement changes one.
    let pool = fixture.database.pool();
    for change in [
        "body = 'three {code}'",
        "system = 't'",
        "number = number + 10",
        "created_at = now()",
        "template_version_id = gen_random_uuid()",
        "author_id = (SELECT user_id FROM users LIMIT 1)",
        "author_id = NULL, body = 'three {code}'",
    ] {
        let statement = format!("UPDATE prompt_versions SET {change}");
        let error = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap_err();
        assert!(error.to_string().contains("never changes"), "{change}: {error}");
    }
    assert_eq!(fixture.get(&path).await.1, read);

    // They outlive their author, and go with their template.
    assert!(read["versions"][0]["author"].is_string(), "{read}");
    let removed = sqlx::query("DELETE FROM users").execute(pool).await.unwrap();
    assert_eq!(removed.rows_affected(), 1);
    let left = "SELECT count(*) FROM prompt_versions WHERE author_id IS NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap(), 3);
    sqlx::query("DELETE FROM prompt_templates WHERE name = 'mine'").execute(pool).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.unwrap(), 1);
    fixture.stop().await;
}

#[tokio::test]
async fn a_document_is_asked_for_with_the_latest_version() {
    let fixture = Fixture::start().await;
    let (_, listed) = fixture.get("/api/v1/prompts").await;
    let body = json!({ "url": "https://git.example/a", "documents": [{
        "writer": "template",
        "template_id": listed["items"][0]["id"],
        "style": "terse",
        "output_language": "de",
        "model": "m",
        "query": "q",
    }] });
    let (status, added) = fixture.post("/api/v1/repositories", &body).await;
    assert_eq!(status, 201, "{added}");
    assert_eq!(added["run"]["documents"][0]["title"], listed["items"][0]["name"]);
    assert!(added["run"]["documents"][0]["template_version_id"].is_string());
    eventually(DEADLINE, || async { fixture.stored("PLANS").await == 1 }).await;
    let stream = fixture.nats.jetstream().get_stream(format!("{}_PLANS", fixture.nats.prefix())).await.unwrap();
    let message = stream.get_raw_message(1).await.unwrap();
    let sent = String::from_utf8_lossy(&message.payload).into_owned();
    for word in ["terse", "{output_language}", "{code}", "module documentation"] {
        assert!(sent.contains(word), "{word} travels");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn seeding_again_changes_nothing() {
    let fixture = Fixture::start().await;
    let (_, before) = fixture.get("/api/v1/prompts").await;
    let clients = caffeine_kit::Clients { bus: fixture.bus.clone(), store: fixture.store.clone() };
    let config = caffeine_gateway::GatewayConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..caffeine_gateway::GatewayConfig::default()
    };
    let second =
        caffeine_gateway::GatewayService::from_parts(config, clients, crate::fixture::TABLE.clone()).await.unwrap();
    assert!(second.first_token().is_none(), "there is an administrator with a token");
    assert_eq!(fixture.get("/api/v1/prompts").await.1, before);
    fixture.stop().await;
}
