//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use chrono::{DateTime, Utc};

use crate::domain::webhook::{self, Delivery, Provider};
use crate::domain::{cursor, facts, reference, template, url as address};
use crate::identity::jws;
use crate::identity::keys::KeyRing;
use crate::identity::provider::id_token::{self, Expected, KeySet};
use crate::identity::provider::return_path;

/// What a client writes where an address, a ref or a cursor stands: what is accepted is stored in a form that is
/// accepted again, and holds no credentials.
pub fn asked(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(accepted) = address::check(&text) {
        assert!(accepted.password().is_none() && accepted.query().is_none() && accepted.fragment().is_none());
        assert!(accepted.host_str().is_some_and(|host| !host.is_empty()));
        assert!(accepted.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{accepted}");
        let name = address::default_name(&accepted);
        assert!(!name.is_empty() && !name.contains('/') && name.chars().count() <= 200, "{name}");
        assert_eq!(address::check(accepted.as_str()).map(String::from), Ok(String::from(accepted)));
    }
    if let Ok(name) = reference::check(&text) {
        assert!(!name.starts_with('-') && !name.contains(|c: char| c.is_control() || c.is_whitespace()));
        assert_eq!(reference::check(name), Ok(name));
    }
    cursor_of::<DateTime<Utc>>(&text);
    cursor_of::<String>(&text);
    cursor_of::<i32>(&text);
}

fn cursor_of<K: cursor::Key>(text: &str) {
    if let Some(read) = cursor::decode::<K>(text) {
        assert_eq!(cursor::encode(read), text.to_ascii_lowercase());
    }
}

/// A template's system part and body with a NUL between them: what is accepted has a place for code and asks for
/// nothing unknown.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (system, body) = text.split_once('\0').unwrap_or(("", &text));
    if template::check(system, body).is_err() {
        return;
    }
    assert!(body.contains("{code}"));
    let mut rest = body.to_owned();
    for known in ["{code}", "{language}", "{style}", "{output_language}"] {
        rest = rest.replace(known, "\u{1}");
    }
    let word = |after: &str| {
        let word: String = after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        !word.is_empty() && word.len() <= 40 && after[word.len()..].starts_with('}')
    };
    assert!(!rest.split('{').skip(1).any(word), "{rest}");
}

/// What a browser or a provider sends where people sign in: nothing that nobody has signed is believed, and nobody is
/// sent to another site.
pub fn sign_in(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let to = return_path(Some(&text));
    let base = url::Url::parse("https://docs.corp/").expect("a constant");
    let goal = base.join(to).map(|goal| goal.origin());
    assert_eq!(goal, Ok(base.origin()), "{to}");
    let ring = KeyRing::parse(&format!("ccsk_{}", "A".repeat(43))).expect("a constant");
    assert!(ring.verify::<serde_json::Value>("session+jwt", &text).is_none());
    let keys = KeySet::parse(bytes).unwrap_or_default();
    if let Some(parts) = jws::split(&text) {
        let now = chrono::DateTime::UNIX_EPOCH;
        let expected = Expected { issuer: "i", client: "c", nonce: "n", now };
        assert!(id_token::verify(&parts, &keys, &expected).is_err());
    }
}

/// What a git host delivers, its event in the first line and its signature in the second: nothing is signed that nobody
/// has signed, what is read is a ref, and what is kept of it is short.
pub fn delivery(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (event, signature) = (line(), line());
    let body = parts.next().unwrap_or_default();
    let secrets = ["a secret that nobody has".to_owned()];
    for provider in Provider::ALL {
        // Every header that is read says the same.
        let header = |name: &str| Some(if name.contains("event") { event.as_str() } else { signature.as_str() });
        assert!(!webhook::is_signed(provider, &secrets, &header, body, 0), "{}", provider.as_str());
        let unsigned = |name: &str| header(name).filter(|_| name != "webhook-signature");
        assert!(!webhook::is_signed(provider, &secrets, &unsigned, body, 0), "{}", provider.as_str());
        for key in webhook::delivery_keys(provider, &unsigned, body) {
            assert!((1..=200).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
        }
        if let Delivery::Push(push) = webhook::read(provider, &header, body) {
            assert!(push.reference.starts_with("refs/") && push.moves(&push.reference), "{push:?}");
        }
    }
}

/// A `RunTransition`: what is understood can be shown.
pub fn transition(bytes: &[u8]) {
    use caffeine_contract::{Message, Scope, v1};

    fn decode<M: Message>(bytes: &[u8]) -> Option<M> {
        M::decode(bytes).ok()
    }
    let Some(message) = decode::<v1::RunTransition>(bytes) else { return };
    let Some(Ok(scope)) = message.scope.as_ref().map(Scope::from_wire) else { return };
    let Ok(fact) = facts::read(&scope, &message, chrono::DateTime::UNIX_EPOCH) else { return };
    assert_eq!((fact.workspace, fact.run), (scope.workspace, scope.run));
    let text = fact.payload.to_string();
    assert!(serde_json::from_str::<facts::Facts>(&text).is_ok(), "{text}");
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[
            ("asked", super::asked),
            ("delivery", super::delivery),
            ("sign_in", super::sign_in),
            ("template", super::template),
            ("transition", super::transition),
        ]);
    }
}
