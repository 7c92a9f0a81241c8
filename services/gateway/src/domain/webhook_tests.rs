//! Deliveries as the hosts send them, recorded by hand from their documentation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caffeine_model::WebhookId;
use hmac::Mac as _;
use uuid::Uuid;

use super::{Delivery, Provider, Push, WeakKey, WebhookKey, delivery_keys, is_signed, mac, read};

const GITHUB: &[u8] = include_bytes!("../../tests/webhooks/github-push.json");
const GITLAB: &[u8] = include_bytes!("../../tests/webhooks/gitlab-push.json");
const GITEA: &[u8] = include_bytes!("../../tests/webhooks/gitea-push.json");
const NOW: i64 = 1_795_000_000;

fn hook(number: u128) -> WebhookId {
    WebhookId::from_uuid(Uuid::from_u128(number))
}

fn key() -> WebhookKey {
    WebhookKey::new("0123456789abcdef0123456789abcdef").unwrap()
}

/// Calls with headers given as pairs.
fn with<T>(headers: &[(&str, &str)], call: impl FnOnce(super::Header<'_>) -> T) -> T {
    call(&|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
}

fn hex_mac(secret: &str, body: &[u8]) -> String {
    let mut mac = mac(secret.as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn standard(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = mac(key);
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn the_example_of_githubs_documentation() {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let secrets = ["It's a Secret to Everybody".to_owned()];
    let check = |body: &[u8]| {
        with(&[("x-hub-signature-256", signature)], |header| is_signed(Provider::GitHub, &secrets, header, body, NOW))
    };
    assert!(check(b"Hello, World!"));
    assert!(!check(b"Hello, World?"));
}

#[test]
fn the_example_of_standard_webhooks() {
    let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()];
    let body = br#"{"test": 2432232314}"#;
    let check = |signature: &str, now: i64, body: &[u8]| {
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
            ("x-gitlab-token", secrets[0].as_str()),
        ];
        with(&headers, |header| is_signed(Provider::GitLab, &secrets, header, body, now))
    };
    let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert!(check(good, 1_614_265_330, body));
    assert!(check(&format!("v1a,x v1,AAAA {good}"), 1_614_265_330 + 300, body), "one of several");
    for (signature, now, body, why) in [
        (good, 1_614_265_330 + 301, &body[..], "too old"),
        (good, 1_614_265_330 - 301, &body[..], "from the future"),
        (good, 1_614_265_330, b"{}", "another body"),
        ("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 1_614_265_330, &body[..], "another version"),
        ("", 1_614_265_330, &body[..], "the token does not stand in for a signature"),
    ] {
        assert!(!check(signature, now, body), "{why}");
    }
}

#[test]
fn every_hosts_signature_holds_for_its_secret_and_its_body_alone() {
    let (webhook, other) = (hook(1), hook(2));
    for (provider, body) in [(Provider::GitHub, GITHUB), (Provider::GitLab, GITLAB), (Provider::Gitea, GITEA)] {
        let secret = key().secret(provider, webhook, 1);
        let old = key().secret(provider, webhook, 2);
        let foreign = key().secret(provider, other, 1);
        let signed = |secret: &str| {
            let mac = hex_mac(secret, body);
            match provider {
                Provider::GitHub => vec![("x-hub-signature-256", format!("sha256={mac}"))],
                Provider::Gitea => vec![("x-gitea-signature", mac)],
                Provider::GitLab => vec![("x-gitlab-token", secret.to_owned())],
            }
        };
        let check = |headers: &[(&str, String)], secrets: &[String], body: &[u8]| {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            with(&headers, |header| is_signed(provider, secrets, header, body, NOW))
        };
        let name = provider.as_str();
        assert!(check(&signed(&secret), std::slice::from_ref(&secret), body), "{name}");
        assert!(check(&signed(&secret), &[old.clone(), secret.clone()], body), "{name}: one of two live ones");
        assert!(!check(&signed(&secret), &[old, foreign.clone()], body), "{name}: of another hook or generation");
        assert!(!check(&signed(&foreign), std::slice::from_ref(&secret), body), "{name}");
        assert!(!check(&[], std::slice::from_ref(&secret), body), "{name}: unsigned");
        assert!(!check(&signed(&secret), &[], body), "{name}: without a secret");
        if provider != Provider::GitLab {
            assert!(!check(&signed(&secret), std::slice::from_ref(&secret), &body[1..]), "{name}: another body");
        }
        for (header, _) in signed(&secret) {
            for broken in ["", "sha256=", "sha256=00", "zz", &"0".repeat(64), &format!("sha256={}", "0".repeat(64))] {
                assert!(
                    !check(&[(header, broken.to_owned())], std::slice::from_ref(&secret), body),
                    "{name}: {broken}"
                );
            }
        }
    }
}

#[test]
fn gitlabs_signing_token_is_taken_decoded_or_as_it_is() {
    let secret = key().secret(Provider::GitLab, hook(1), 1);
    let decoded = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    for key in [decoded.as_slice(), secret.as_bytes()] {
        let signature = standard(key, "id", NOW, GITLAB);
        let timestamp = NOW.to_string();
        let headers = [
            ("webhook-id", "id"),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        assert!(with(&headers, |header| is_signed(
            Provider::GitLab,
            std::slice::from_ref(&secret),
            header,
            GITLAB,
            NOW
        )));
    }
}

#[test]
fn secrets_differ_and_stay() {
    assert_eq!(WebhookKey::new(" short ").err(), Some(WeakKey));
    let one = key().secret(Provider::GitHub, hook(1), 1);
    assert_eq!(one.len(), 64);
    assert_eq!(one, key().secret(Provider::GitHub, hook(1), 1));
    assert_ne!(one, key().secret(Provider::GitHub, hook(1), 2));
    assert_ne!(one, key().secret(Provider::GitHub, hook(2), 1));
    assert!(key().secret(Provider::GitLab, hook(1), 1).starts_with("whsec_"));
}

#[test]
fn pushes_are_read_and_the_rest_is_let_be() {
    let push = |reference: &str, branch: &str| {
        Delivery::Push(Push { reference: reference.to_owned(), default_branch: Some(branch.to_owned()) })
    };
    let event = |provider: Provider, event: &str, body: &[u8]| {
        let name = match provider {
            Provider::GitHub => "x-github-event",
            Provider::GitLab => "x-gitlab-event",
            Provider::Gitea => "x-gitea-event",
        };
        with(&[(name, event)], |header| read(provider, header, body))
    };
    assert_eq!(event(Provider::GitHub, "push", GITHUB), push("refs/heads/main", "main"));
    assert_eq!(event(Provider::GitLab, "Push Hook", GITLAB), push("refs/heads/develop", "master"));
    assert_eq!(event(Provider::Gitea, "push", GITEA), push("refs/heads/main", "main"));
    assert_eq!(event(Provider::GitHub, "ping", br#"{"zen": "Design for failure."}"#), Delivery::Other);
    assert_eq!(event(Provider::GitHub, "push", b"payload=%7B%7D"), Delivery::Malformed);
    assert_eq!(event(Provider::GitHub, "push", br#"{"ref": 7}"#), Delivery::Malformed);
    assert_eq!(event(Provider::GitHub, "push", br#"{"ref": "main"}"#), Delivery::Malformed);
    let gone = format!(r#"{{"ref": "refs/heads/old", "after": "{}"}}"#, "0".repeat(40));
    assert_eq!(event(Provider::Gitea, "push", gone.as_bytes()), Delivery::Other);
}

#[test]
fn a_push_moves_the_ref_it_names() {
    for (pushed, default_branch, reference, moves) in [
        ("refs/heads/main", Some("main"), "", true),
        ("refs/heads/next", Some("main"), "", false),
        ("refs/heads/next", None, "", true),
        ("refs/heads/main", Some("main"), "main", true),
        ("refs/heads/a/b", Some("main"), "a/b", true),
        ("refs/heads/a/b", Some("main"), "b", false),
        ("refs/tags/v1", Some("main"), "v1", true),
        ("refs/tags/v1", Some("main"), "refs/tags/v1", true),
        ("refs/tags/v1", Some("main"), "", false),
        ("refs/heads/main", Some("main"), "0707070707070707070707070707070707070707", false),
    ] {
        let push = Push { reference: pushed.to_owned(), default_branch: default_branch.map(str::to_owned) };
        assert_eq!(push.moves(reference), moves, "{pushed} {default_branch:?} {reference}");
    }
}

#[test]
fn deliveries_are_told_apart() {
    let keys =
        |provider, headers: &[(&str, &str)], body: &[u8]| with(headers, |header| delivery_keys(provider, header, body));
    let one = keys(Provider::GitHub, &[("x-github-delivery", "72d3162e-cc78")], b"a");
    assert_eq!(one[0], "id:72d3162e-cc78");
    assert!(one[1].starts_with("sha256:"), "the id of GitHub is not signed");
    assert_eq!(keys(Provider::GitHub, &[("x-github-delivery", "other")], b"a")[1], one[1]);
    let signed = [("webhook-id", "a"), ("webhook-signature", "v1,…")];
    assert_eq!(keys(Provider::GitLab, &signed, b"a"), ["id:a"]);
    for key in keys(Provider::Gitea, &[("x-gitea-delivery", &"x".repeat(9_000))], b"a") {
        assert!(key.len() < 200, "{key}");
    }
    let plain = [("x-gitlab-event-uuid", "a"), ("x-gitlab-token", "…")];
    assert_eq!(keys(Provider::GitLab, &plain, b"a"), ["id:a"], "a branch moved back and forth has the same body again");
    assert_eq!(keys(Provider::GitLab, &[], b"a").len(), 1);
}
