//! Versions of prompt templates, and what a model would be asked.

use serde_json::{Value, json};

use crate::fixture::{Fixture, id};
use crate::search::index;

const FILES: [(&str, &str); 3] = [
    ("src/pool.rs", "pub struct ConnectionPool { connections: Vec<Connection> }"),
    ("src/keys.rs", "const KEY: &str = \"AKIAZ3MSJV4WYJDU2ZZX\"; // connection"),
    (".env", "CONNECTION=secret"),
];

#[tokio::test]
async fn versions_say_who_wrote_them() {
    let fixture = Fixture::start().await;
    let body = json!({ "name": "mine", "system": "s", "body": "one {code}" });
    let (_, made) = fixture.post("/api/v1/prompts", &body).await;
    let path = format!("/api/v1/prompts/{}/versions", id(&made, "/id"));
    fixture.post(&path, &json!({ "system": "s", "body": "two {code}" })).await;
    let (status, listed) = fixture.get(&path).await;
    let bodies: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| one["body"].clone()).collect();
    assert_eq!((status, bodies), (200, vec![json!("two {code}"), json!("one {code}")]));
    let (_, first) = fixture.get(&format!("{path}/1")).await;
    assert_eq!((&first["body"], &first["author"]), (&json!("one {code}"), &json!("Administrator")));
    for number in ["0", "3", "4294967295"] {
        assert_eq!(fixture.get(&format!("{path}/{number}")).await.0, 404, "{number}");
    }
    let (_, all) = fixture.get("/api/v1/prompts").await;
    let built_in = all["items"].as_array().unwrap().iter().find(|one| one["built_in"] == true).unwrap();
    let (_, versions) = fixture.get(&format!("/api/v1/prompts/{}/versions", id(built_in, "/id"))).await;
    assert!(versions["items"][0].get("author").is_none());
    fixture.stop().await;
}

#[tokio::test]
async fn a_preview_is_what_would_leave_the_house() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    let ask = |body: &str| {
        json!({
            "system": "You are terse. {code}",
            "body": body,
            "repository": scope.repository.to_string(),
            "query": "connection pool",
            "style": "{code}",
            "output_language": "de",
        })
    };
    let (status, problem) = fixture.post("/api/v1/prompts/preview", &ask("{code}")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_indexed")));
    index(&fixture, &scope, &FILES).await;

    let (status, preview) = fixture.post("/api/v1/prompts/preview", &ask("In {style}: {language}\n{code}\nEnd")).await;
    assert_eq!(status, 200, "{preview}");
    let blocks = preview["blocks"].as_array().unwrap();
    let kinds: Vec<_> = blocks.iter().map(|block| block["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "source", "source", "text", "text"], "{preview}");
    assert_eq!(blocks[0]["text"], "In {code}: rust\n", "a value is never read again");
    let paths: Vec<_> = blocks[1..3].iter().map(|block| block["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["src/keys.rs", "src/pool.rs"], "what holds secrets never leaves");
    assert!(blocks[2]["text"].as_str().unwrap().contains("    3 | pub struct ConnectionPool"));
    assert_eq!((&blocks[2]["start_line"], &blocks[2]["end_line"]), (&json!(3), &json!(9)));
    assert!(!preview.to_string().contains("AKIAZ3MSJV4WYJDU2ZZX"), "{preview}");
    assert!(preview["system"].as_str().unwrap().ends_with("You are terse. {code}"));
    let tokens = preview["estimated_input_tokens"].as_u64().unwrap();
    assert!((100..3_000).contains(&tokens), "{tokens}");
    let findings: Vec<_> = preview["findings"].as_array().unwrap().iter().map(|one| one["severity"].clone()).collect();
    assert_eq!(findings, ["info"], "{preview}");
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_template_is_said() {
    let fixture = Fixture::start().await;
    let (scope, _) = fixture.add("https://git.example/a").await;
    index(&fixture, &scope, &FILES[..1]).await;
    let preview = |body: String| {
        let request = json!({ "system": "", "body": body, "repository": scope.repository.to_string(), "query": "connection pool" });
        let fixture = &fixture;
        async move { fixture.post("/api/v1/prompts/preview", &request).await }
    };
    let severities = |preview: &Value| -> Vec<String> {
        let findings = preview["findings"].as_array().unwrap();
        findings.iter().map(|one| one["severity"].as_str().unwrap().to_owned()).collect()
    };
    for (body, expected) in [
        ("{code} {unknown}".to_owned(), vec!["error"]),
        ("no slot".to_owned(), vec!["error"]),
        ("token ghp_16C7e42F292c6912E7710c838347Ae178B4a {code}".to_owned(), vec!["warning", "info"]),
        (format!("{} {{code}}", "word ".repeat(12_000)), vec![]),
    ] {
        let (status, answer) = preview(body.clone()).await;
        assert_eq!(status, 200, "{answer}");
        let start: String = body.chars().take(40).collect();
        assert_eq!(severities(&answer), expected, "{start}: {}", answer["findings"]);
    }
    let (status, problem) = preview("x".repeat(70_000)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("template_refused")));
    fixture.stop().await;
}
