use std::io::Write as _;

use serde::Deserialize;

use super::{Configuration, LogFormat, Settings};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cloner {
    max_bytes: u64,
    cache: String,
    hosts: Vec<String>,
    limits: Limits,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    depth: u32,
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Configuration, String> {
    let file = file(text);
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Configuration::load(Some(file.path()), environment).map_err(|error| error.to_string())
}

#[test]
fn environment_beats_file_beats_default() {
    let text = "nats_prefix = 'file'\nlog = 'debug'\n[cloner]\nmax_bytes = 7\ncache = 'a'\n";
    let environment = [
        ("CAFFEINE_NATS_PREFIX", "env"),
        ("CAFFEINE_LOG_FORMAT", "json"),
        ("CAFFEINE_CLONER_CACHE", "/b"),
        ("CAFFEINE_CLONER_LIMITS__DEPTH", "3"),
        ("HOME", "/root"),
    ];
    let configuration = load(text, &environment).unwrap();
    let settings = configuration.settings().unwrap();
    assert_eq!(settings.nats_prefix, "env");
    assert_eq!(settings.log, "debug");
    assert_eq!(settings.log_format, Some(LogFormat::Json));
    assert_eq!(settings.database_connections, 8);
    let cloner: Cloner = configuration.section("cloner").unwrap();
    assert_eq!(
        cloner,
        Cloner { max_bytes: 7, cache: "/b".to_owned(), limits: Limits { depth: 3 }, ..Cloner::default() }
    );
    assert_eq!(configuration.section::<Cloner>("chunker").unwrap(), Cloner::default());
}

#[test]
fn digits_are_text_where_text_is_wanted() {
    let environment = [("CAFFEINE_NATS_PREFIX", "0123"), ("CAFFEINE_CLONER_CACHE", "true")];
    let configuration = load("", &environment).unwrap();
    assert_eq!(configuration.settings().unwrap().nats_prefix, "0123");
    assert_eq!(configuration.section::<Cloner>("cloner").unwrap().cache, "true");
}

#[test]
fn lists_are_separated_by_commas() {
    let check = |value: &str, expected: &[&str]| {
        let configuration = load("[cloner]\nhosts = ['file:1']\n", &[("CAFFEINE_CLONER_HOSTS", value)]).unwrap();
        assert_eq!(configuration.section::<Cloner>("cloner").unwrap().hosts, expected, "{value}");
    };
    check("127.0.0.1:18777,git.corp:443", &["127.0.0.1:18777", "git.corp:443"]);
    check(" git.corp:443 , ", &["git.corp:443"]);
    check("git.corp", &["git.corp"]);
    check("8080", &["8080"]);
    check("[::1]:443,git.corp:443", &["[::1]:443", "git.corp:443"]);
    check("git.corp:443,[::1]:443", &["git.corp:443", "[::1]:443"]);
    check(r#"["127.0.0.1:18777", "git.corp:443"]"#, &["127.0.0.1:18777", "git.corp:443"]);
    check("[]", &[]);
    check("", &[]);
}

#[test]
fn lists_come_from_files() {
    let list = file("a:1,b:2\n");
    let configuration = load("", &[("CAFFEINE_CLONER_HOSTS_FILE", list.path().to_str().unwrap())]).unwrap();
    assert_eq!(configuration.section::<Cloner>("cloner").unwrap().hosts, ["a:1", "b:2"]);
}

#[test]
fn a_file_with_the_value_beats_the_variable() {
    let secret = file("from the file");
    let path = secret.path().to_str().unwrap();
    let environment = [("CAFFEINE_CLONER_CACHE_FILE", path), ("CAFFEINE_CLONER_CACHE", "given")];
    let configuration = load("", &environment).unwrap();
    assert_eq!(configuration.section::<Cloner>("cloner").unwrap().cache, "from the file");
}

#[test]
fn every_shared_setting_is_documented_with_its_default() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    for key in super::COMMON {
        let row = format!("| `CAFFEINE_{}` | `{key}` |", key.to_ascii_uppercase());
        assert!(page.contains(&row), "docs/configuration.md has no row {row}");
    }
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let written = load(example, &[]).unwrap().settings().unwrap();
    // These three have no default, or one that depends on the terminal.
    let usual = Settings {
        nats_url: written.nats_url.clone(),
        database_url: written.database_url.clone(),
        log_format: written.log_format,
        ..Settings::default()
    };
    assert_eq!(format!("{written:?}"), format!("{usual:?}"));
    assert_eq!(written.nats_timings, usual.nats_timings);
}

#[test]
fn a_wrong_list_is_told_how_to_write_one() {
    for value in [r#"["a:1""#, "'a:1', 'b:2'", "{a=1}", "a:1,[b:2"] {
        let answer = refusal("", &[("CAFFEINE_CLONER_HOSTS", value)]);
        assert!(answer.contains("`CAFFEINE_CLONER_HOSTS` must be a list: separate"), "{value}: {answer}");
        assert!(!answer.contains("a:1"), "{answer}");
    }
    let answer = refusal("[cloner]\nhosts = 'a:1,b:2'", &[]);
    assert!(answer.contains("`cloner.hosts`") && answer.contains(r#"must be a list: write ["…", "…"]"#), "{answer}");
}

#[test]
fn a_dash_in_a_section_is_an_underscore_in_a_variable() {
    let configuration = load("[doc-writer]\nmax_bytes = 1\n", &[("CAFFEINE_DOC_WRITER_CACHE", "x")]).unwrap();
    let section: Cloner = configuration.section("doc-writer").unwrap();
    assert_eq!((section.max_bytes, section.cache.as_str()), (1, "x"));
}

#[test]
fn secrets_come_from_files() {
    let secret = file("nats://u:s3cret@h:4222\n");
    let path = secret.path().to_str().unwrap();
    let configuration = load("", &[("CAFFEINE_NATS_URL_FILE", path), ("CAFFEINE_CLONER_CACHE_FILE", path)]).unwrap();
    let settings = configuration.settings().unwrap();
    assert_eq!(settings.require_nats_url().unwrap(), "nats://u:s3cret@h:4222");
    assert_eq!(configuration.section::<Cloner>("cloner").unwrap().cache, "nats://u:s3cret@h:4222");
    assert!(!format!("{settings:?}").contains("s3cret"));
}

/// The whole answer to a wrong configuration, from whichever step refuses it.
fn refusal(text: &str, environment: &[(&str, &str)]) -> String {
    let configuration = match load(text, environment) {
        Ok(configuration) => configuration,
        Err(problem) => return problem,
    };
    let settings = configuration.settings().map(|_| ());
    let section = configuration.section::<Cloner>("cloner").map(|_| ());
    settings.and(section).expect_err("refused").to_string()
}

#[test]
fn what_nobody_knows_is_refused_with_the_nearest_name() {
    let check = |text: &str, environment: &[(&str, &str)], expected: &[&str]| {
        let answer = refusal(text, environment);
        for part in expected {
            assert!(answer.contains(part), "`{answer}` names {part}");
        }
    };
    check("nats_ulr = 'x'", &[], &["`nats_ulr`", "did you mean nats_url?"]);
    check("[clonr]\nx = 1", &[], &["`clonr`", "did you mean cloner?"]);
    check("[cloner]\nmax_byte = 1", &[], &["`cloner.max_byte`", "max_bytes"]);
    check("[cloner.limits]\ndept = 1", &[], &["dept", "depth"]);
    check("", &[("CAFFEINE_NATS_ULR", "x")], &["CAFFEINE_NATS_ULR", "CAFFEINE_NATS_URL"]);
    check("", &[("CAFFEINE_CLONER_CASHE", "x")], &["CAFFEINE_CLONER_CASHE", "cache"]);
    check("", &[("CAFFEINE_SOMETHING_ELSE", "x")], &["CAFFEINE_SOMETHING_ELSE", "known are", "CAFFEINE_CLONER_…"]);
}

#[test]
fn wrong_values_are_named_but_not_shown() {
    let answer = refusal("", &[("CAFFEINE_DATABASE_CONNECTIONS", "hunter2")]);
    assert!(answer.contains("CAFFEINE_DATABASE_CONNECTIONS") && !answer.contains("hunter2"), "{answer}");
    let answer = refusal("[cloner]\nmax_bytes = 'hunter2'", &[]);
    assert!(answer.contains("cloner.max_bytes") && !answer.contains("hunter2"), "{answer}");
    let answer = refusal("log_format = 'xml'", &[]);
    assert!(answer.contains("text, json"), "{answer}");
}

#[test]
fn what_has_no_default_is_demanded() {
    let error = load("", &[]).unwrap().settings().unwrap().require_database_url().unwrap_err().to_string();
    assert!(error.contains("CAFFEINE_DATABASE_URL"), "{error}");
}

#[test]
fn tool_variables_are_known() {
    assert!(load("", &[("CAFFEINE_FAULT", "x"), ("CAFFEINE_TOOLS", "y")]).is_ok());
}
