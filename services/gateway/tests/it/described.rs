//! The interface beside its description, asked for things that nobody would think of: by schemathesis, somebody else's
//! program.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::documents::with_document;
use crate::fixture::{Fixture, id};

/// How long it asks; `make api-test` says more.
const SECONDS: &str = "60";

/// What a request may be answered that is as described: 422 and 409 are about what no description has words for (what an
/// address or a template must be, what is there already), 412 and 428 about what others did meanwhile. A 400 is not among
/// them: what is malformed is for the description to say.
const CONFIG: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "401", "403", "404", "409", "412", "422", "428"]
"#;

/// Cursors are opaque, so a description cannot say which there are: lists are asked with one of theirs.
async fn with_cursors(fixture: &Fixture) -> String {
    fixture.add("https://git.example/b").await;
    let template = json!({ "name": "zebra", "system": "", "body": "{code}" });
    let (_, template) = fixture.post("/api/v1/prompts", &template).await;
    let versions = format!("/api/v1/prompts/{}/versions", id(&template, "/id"));
    fixture.post(&versions, &json!({ "system": "s", "body": "{code}" })).await;
    let next = async |path: &str| {
        let (_, page) = fixture.get(&format!("{path}?limit=1")).await;
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let mut config = format!("[parameters]\n\"query.cursor\" = \"{}\"\n", next("/api/v1/repositories").await);
    let by_name = next("/api/v1/prompts").await;
    for (operation, cursor) in [
        ("list_prompts", &by_name),
        ("list_credentials", &by_name),
        ("list_prompt_versions", &next(&versions).await),
        ("list_dead_letters", &"1".to_owned()),
    ] {
        config += &format!(
            "[[operations]]\ninclude-operation-id = \"{operation}\"\nparameters = {{ \"query.cursor\" = \"{cursor}\" }}\n"
        );
    }
    config
}

/// Operations that are left out, each with its reason.
const UNASKED: &[(&str, &str)] = &[
    ("follow_run", "its answer has no end"),
    ("test_connection", "it waits for a cloner, which is not here"),
    ("delete_token", "it would end the sender's own token, and everything after it would be a 401"),
];

/// Where `make test` puts other people's Python programs.
fn program() -> PathBuf {
    let tools = std::env::var_os("CAFFEINE_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.tools"));
    tools.join("fakes/bin/schemathesis")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_described_whatever_is_asked() {
    let fixture = Fixture::start().await;
    // Something to be found.
    with_document(&fixture).await;
    let report = tempfile::tempdir().unwrap();
    let seconds = std::env::var("API_TEST_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    let config = report.path().join("schemathesis.toml");
    std::fs::write(&config, format!("{CONFIG}{}", with_cursors(&fixture).await)).unwrap();
    let mut command = Command::new(program());
    command
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{}/api/v1/openapi.json", fixture.base), "--no-color", "--continue-on-failure"])
        .args(["--header", &format!("Authorization: Bearer {}", fixture.token)])
        .args(["--max-time", &seconds, "--seed", "20261122", "--request-timeout", "30", "--warnings", "off"])
        .args(["--generation-database", "none", "--suppress-health-check", "all"]);
    for (operation, _) in UNASKED {
        command.args(["--exclude-operation-id", operation]);
    }
    let output = command
        .current_dir(report.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("`make test` makes .tools/fakes");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    fixture.stop().await;
}
