//! Redaction of whole texts, and what holds for any text.

use std::time::{Duration, Instant};

use caffeine_sendgate::{Finding, Redactor, normalise, redact};
use proptest::prelude::*;

/// Made, not written, so that scanners of this repository have nothing to find.
fn github_token(seed: char) -> String {
    format!("ghp_{}", seed.to_string().repeat(36))
}

fn private_key() -> String {
    let line = "MIIEowIBAAKCAQEAx8Zt0qQ2m9dYx1v5ZsT3hX7Qn2bJ4cK6wL8pR0uV1yA3eD5f";
    format!("-----BEGIN RSA PRIVATE KEY-----\n{line}\n{line}\n-----END RSA PRIVATE KEY-----")
}

#[test]
fn secrets_are_replaced_where_they_stand() {
    let (first, second) = (github_token('a'), github_token('b'));
    let key = private_key();
    let text = format!("one\nx = {first}; y = {second}\n{key}\nagain {first}\nend\n");
    let redacted = redact(&text);
    let expected = "one\n\
        x = <redacted:github-token:00000001>; y = <redacted:github-token:00000002>\n\
        <redacted:private-key:00000003>\n\n\n\n\
        again <redacted:github-token:00000001>\nend\n";
    assert_eq!(redacted.text, expected);
    let finding = |rule, line, number| Finding { rule, line, number };
    let findings = [
        finding("github-token", 2, 1),
        finding("github-token", 2, 2),
        finding("private-key", 3, 3),
        finding("github-token", 7, 1),
    ];
    assert_eq!(redacted.findings, findings);
}

#[test]
fn numbers_are_common_to_the_texts_of_a_call() {
    let (first, second) = (github_token('a'), github_token('b'));
    let mut redactor = Redactor::default();
    let numbers: Vec<u32> = [&first, &second, &first]
        .iter()
        .flat_map(|text| redactor.redact(text).findings)
        .map(|finding| finding.number)
        .collect();
    assert_eq!(numbers, [1, 2, 1]);
}

#[test]
fn overlapping_findings_become_one() {
    let text = format!("token = \"{}\"", github_token('a'));
    assert_eq!(redact(&text).findings.len(), 1);
    let text = format!("password = \"{}\"", github_token('a'));
    assert_eq!(redact(&text).text, "password = \"<redacted:github-token:00000001>\"");
}

/// Text that is full of beginnings and pieces of secrets.
fn suspicious_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just(" = \"".to_owned()),
        Just("\"".to_owned()),
        Just("password".to_owned()),
        Just("API_KEY=".to_owned()),
        Just("https://user:".to_owned()),
        Just("@".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("-----END PRIVATE KEY-----".to_owned()),
        Just("-----BEGIN ".to_owned()),
        Just(private_key()),
        Just(github_token('a')),
        "[A-Za-z0-9+/]{64}\n",
        "[A-Za-z0-9]{1,40}",
        "\\PC{0,8}",
        any::<String>(),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_keeps_its_lines_and_loses_its_secrets(text in suspicious_text()) {
        let redacted = redact(&text);
        prop_assert_eq!(redacted.text.matches('\n').count(), text.matches('\n').count());
        prop_assert!(!redacted.text.contains(&github_token('a')));
        let line_count = text.matches('\n').count() + 1;
        let lines: Vec<u32> = redacted.findings.iter().map(|finding| finding.line).collect();
        prop_assert!(lines.is_sorted());
        prop_assert!(lines.iter().all(|line| (1..=line_count).contains(&(*line as usize))));
        if redacted.findings.is_empty() {
            prop_assert_eq!(redacted.text, text);
        }
    }

    #[test]
    fn normalisation_keeps_lines_and_is_complete(text in any::<String>()) {
        let once = normalise(&text);
        prop_assert_eq!(once.text.matches('\n').count(), text.matches('\n').count());
        prop_assert_eq!(text.chars().count() as u64, once.text.chars().count() as u64 + once.dropped);
        prop_assert_eq!(normalise(&once.text).dropped, 0);
    }
}

/// Megabytes of beginnings that never end.
#[test]
fn no_text_makes_the_search_slow() {
    let pieces = [
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "-----BEGIN ",
        "password=\"",
        "password = \"hunter2\"\n",
        "https://a:",
        "é",
        "A",
        "eyJaaaaaaaaa.",
    ];
    let started = Instant::now();
    for piece in pieces {
        let text = piece.repeat((1 << 20) / piece.len());
        let redacted = redact(&text);
        assert_eq!(redacted.text.matches('\n').count(), text.matches('\n').count());
    }
    // Measured: 0.9 s unoptimised. Anything quadratic takes hours.
    assert!(started.elapsed() < Duration::from_secs(60));
}
