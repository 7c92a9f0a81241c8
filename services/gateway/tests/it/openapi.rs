//! The committed OpenAPI document.

use std::path::Path;

use serde_json::Value;

use crate::fixture::Fixture;

/// Operations that nobody needs to be signed in for.
const PUBLIC: &[&str] = &["get_health", "get_sign_in", "open_session"];

#[test]
fn committed_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/openapi.json");
    let expected = caffeine_gateway::openapi_json();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, expected, "schemas/openapi.json is out of date: run `make generate`");
}

#[test]
fn every_operation_is_described() {
    let document: Value = serde_json::from_str(&caffeine_gateway::openapi_json()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/"), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(!name.is_empty() && names.insert(name), "{method} {path} has an id of its own");
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{method} {path} is grouped");
            if !PUBLIC.contains(&operation["operationId"].as_str().unwrap()) {
                let schemes = operation["security"].as_array().expect("somebody must be signed in");
                assert!(schemes.iter().any(|scheme| scheme["token"].is_array()), "{method} {path} takes a token");
                assert!(schemes.iter().any(|scheme| scheme["session"].is_array()), "{method} {path} takes a session");
                let failure = &operation["responses"]["404"]["content"];
                assert!(failure["application/problem+json"].is_object(), "{method} {path} fails with a problem");
            }
        }
    }
}

/// Operations that are asked for with POST and make nothing that a repeat would make twice.
const MAKE_NOTHING: &[&str] = &["test_connection", "cancel_run", "preview_prompt"];

#[test]
fn what_makes_something_takes_a_key_or_says_why_not() {
    let document: Value = serde_json::from_str(&caffeine_gateway::openapi_json()).unwrap();
    let (mut taken, mut explained) = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = item.get("post") else { continue };
        if MAKE_NOTHING.contains(&operation["operationId"].as_str().unwrap()) {
            continue;
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let takes = parameters.into_iter().any(|parameter| parameter["name"] == "Idempotency-Key");
        let explains = operation["description"].as_str().is_some_and(|text| text.contains("no `Idempotency-Key`: "));
        assert!(takes != explains, "POST {path} takes an Idempotency-Key, or says why it needs none");
        taken += u32::from(takes);
        explained += u32::from(explains);
    }
    assert!(taken >= 9 && explained >= 3, "{taken} {explained}");
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let fixture = Fixture::start().await;
    let (status, served) = fixture.get("/api/v1/openapi.json").await;
    let expected: Value = serde_json::from_str(&caffeine_gateway::openapi_json()).unwrap();
    assert_eq!((status, served), (200, expected));
    fixture.stop().await;
}

/// Two groups of operations that share a path would both name it, and readers of JSON keep the last.
#[test]
fn every_path_is_described_once() {
    let document = caffeine_gateway::openapi_json();
    let paths: Vec<&str> = document.lines().map(str::trim).filter(|line| line.starts_with("\"/")).collect();
    let once: std::collections::BTreeSet<&&str> = paths.iter().collect();
    assert!(paths.len() > 30, "{paths:?}");
    assert_eq!(paths.len(), once.len(), "{paths:?}");
}
