//! The interface beside its description, asked for things that nobody would think of: by schemathesis, somebody else's
//! program.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use crate::documents::with_document;
use crate::fixture::Fixture;

/// How long it asks; `make api-test` says more.
const SECONDS: &str = "60";

/// Checks that are left out, each with its reason.
const UNCHECKED: &[(&str, &str)] =
    &[("positive_data_acceptance", "a description has no words for what an address, a template or a cursor must be")];

/// Operations that are left out, each with its reason.
const UNASKED: &[(&str, &str)] = &[
    ("follow_run", "its answer has no end"),
    ("legacy_list_repositories", "it answers as the older system did, with nulls that its description does not have"),
    ("legacy_get_repository", "the same"),
    ("legacy_add_repository", "the same"),
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
    let mut command = Command::new(program());
    command
        .args(["run", &format!("{}/api/v1/openapi.json", fixture.base), "--no-color", "--continue-on-failure"])
        .args(["--header", &format!("Authorization: Bearer {}", fixture.token)])
        .args(["--max-time", &seconds, "--seed", "20261122", "--request-timeout", "30", "--warnings", "off"])
        .args(["--generation-database", "none", "--suppress-health-check", "all"])
        .args(["--exclude-checks", &UNCHECKED.iter().map(|(check, _)| *check).collect::<Vec<_>>().join(",")]);
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
