//! Queues and dead letters, as administrators see them.

use async_nats::HeaderMap;
use caffeine_bus::Settlement;
use caffeine_contract::{Decision, Scope, headers};
use caffeine_testkit::eventually;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{DEADLINE, Fixture, answer};

/// Writes a dead letter as the chunker does.
async fn bury(fixture: &Fixture, scope: &Scope, workspace: &str, body: &[u8]) -> u64 {
    let mut map = HeaderMap::new();
    for (name, value) in [
        (headers::KIND, "files.batch"),
        (headers::WORKSPACE, &scope.workspace.to_string()),
        (headers::REPOSITORY, &scope.repository.to_string()),
        (headers::RUN, &scope.run.to_string()),
        (headers::KEY, "3"),
        (headers::GENERATION, "0"),
        (headers::LANE, "interactive"),
        (headers::ANALYSER, &scope.analyser),
        (headers::EMBEDDING_MODEL, &scope.embedding_model),
        (headers::DEAD_CODE, "too_odd"),
        (headers::DEAD_REASON, "It was too odd."),
        (headers::DEAD_DELIVERED, "5"),
    ] {
        map.insert(name, value);
    }
    if workspace == "unknown" {
        map = HeaderMap::new();
    }
    let prefix = fixture.nats.prefix();
    let subject = format!("{prefix}.caffeine.v1.dead.chunker.{workspace}.{}", scope.repository);
    let stored = fixture.nats.jetstream().publish_with_headers(subject, map, body.to_vec().into()).await.unwrap();
    stored.await.unwrap().sequence
}

#[tokio::test]
async fn dead_letters_are_read_and_decided_about() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let (_, empty) = fixture.get("/api/v1/admin/dead-letters").await;
    assert_eq!(empty, json!({ "items": [] }));
    let workspace = scope.workspace.to_string();
    // Batch 3 of 9 raw bytes.
    let first = bury(&fixture, &scope, &workspace, &[0x10, 3, 0x20, 9]).await;
    let foreign = bury(&fixture, &scope, &Uuid::nil().to_string(), b"").await;
    let nobodys = bury(&fixture, &scope, "unknown", b"").await;
    let broken = bury(&fixture, &scope, &workspace, &[0xff]).await;

    let (status, page) = fixture.get("/api/v1/admin/dead-letters?limit=1").await;
    assert_eq!(status, 200, "{page}");
    let letter = &page["items"][0];
    for (field, expected) in [
        ("dead_letter", json!(first)),
        ("stage", json!("chunker")),
        ("message", json!("files.batch")),
        ("code", json!("too_odd")),
        ("reason", json!("It was too odd.")),
        ("attempts", json!(5)),
        ("run", json!(scope.run.to_string())),
        ("repository", json!(scope.repository.to_string())),
        ("bytes", json!(4)),
    ] {
        assert_eq!(letter[field], expected, "{field}");
    }
    assert!(letter.get("body").is_none() && letter.get("headers").is_none());
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, rest) = fixture.get(&format!("/api/v1/admin/dead-letters?limit=1&cursor={cursor}")).await;
    assert_eq!(
        (&rest["items"][0]["dead_letter"], rest.get("next_cursor")),
        (&json!(broken), None),
        "others' are not seen"
    );

    let (_, whole) = fixture.get(&format!("/api/v1/admin/dead-letters/{first}")).await;
    assert_eq!(whole["body"], json!({ "batch": 3, "raw_bytes": 9, "bytes": 0 }));
    assert_eq!(whole["headers"][headers::KEY], "3");
    let (_, whole) = fixture.get(&format!("/api/v1/admin/dead-letters/{broken}")).await;
    assert!(whole.get("body").is_none() && whole["headers"].is_object());
    for other in [foreign, nobodys, 0, 99, u64::MAX] {
        let path = format!("/api/v1/admin/dead-letters/{other}");
        assert_eq!(fixture.get(&path).await.0, 404, "{other}");
        assert_eq!(fixture.post(&format!("{path}/redeliver"), &json!({})).await.0, 404, "{other}");
        let answered = fixture.request(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(answer(answered).await.0, 404, "{other}");
    }

    let mut settlements = fixture.bus.settlements().await.unwrap();
    let (status, said) = fixture.post(&format!("/api/v1/admin/dead-letters/{first}/redeliver"), &json!({})).await;
    assert_eq!((status, &said["status"]), (202, &json!("redelivering")));
    let Settlement { workspace, letter, stored_at_ms, decision } = settlements.next().await;
    assert_eq!((workspace, letter, decision), (scope.workspace, first, Decision::Redeliver));
    assert!(stored_at_ms > 1_700_000_000_000);
    let dropped =
        fixture.request(Method::DELETE, &format!("/api/v1/admin/dead-letters/{broken}")).send().await.unwrap();
    assert_eq!(answer(dropped).await.0, 202);
    assert_eq!(settlements.next().await.decision, Decision::Drop);
    // The gateway itself has removed nothing: it may not.
    assert_eq!(fixture.stored("DEAD").await, 4);
    fixture.stop().await;
}

#[tokio::test]
async fn queues_show_what_waits() {
    let fixture = Fixture::start().await;
    fixture.add("https://git.example/a").await;
    eventually(DEADLINE, || async { fixture.stored("CLONE").await == 1 }).await;
    let (status, queues) = fixture.get("/api/v1/admin/queues").await;
    assert_eq!(status, 200, "{queues}");
    let items = queues["items"].as_array().unwrap();
    let durables: Vec<&str> = items.iter().map(|queue| queue["durable"].as_str().unwrap()).collect();
    for durable in ["cloner", "chunker-i", "chunker-b", "linker-i", "embedder-b", "planner", "projector"] {
        assert!(durables.contains(&durable), "{durable}: {durables:?}");
    }
    let cloner = items.iter().find(|queue| queue["durable"] == "cloner").unwrap();
    assert_eq!(
        (&cloner["waiting"], &cloner["in_flight"], &cloner["stored_messages"]),
        (&json!(1), &json!(0), &json!(1))
    );
    assert!(cloner["oldest_age_seconds"].as_f64().unwrap() < 60.0 && cloner["limit_bytes"].is_u64(), "{cloner}");
    let idle = items.iter().find(|queue| queue["durable"] == "chunker-b").unwrap();
    assert!(idle.get("oldest_age_seconds").is_none(), "{idle}");
    fixture.stop().await;
}
