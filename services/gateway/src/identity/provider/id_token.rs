//! Identity tokens: whether the provider has signed one, for us, just now, for this sign-in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

use crate::identity::jws::Parts;

/// Clocks differ by so many seconds at most.
const LEEWAY: i64 = 60;

/// A key of the provider, as it publishes it (RFC 7517).
#[derive(Debug, Clone, Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Clone)]
enum Key {
    /// Verifies RS256.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// Verifies ES256.
    P256 { point: Vec<u8> },
}

/// The keys of a provider that we can use.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet {
    keys: Vec<(Option<String>, Key)>,
}

/// What a token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) now: DateTime<Utc>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenProblem {
    #[error("the token is none")]
    Malformed,
    #[error("the token is signed by an algorithm other than RS256 and ES256")]
    Algorithm,
    #[error("the token is signed by a key that the provider does not publish")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token is another issuer's")]
    Issuer,
    #[error("the token is for somebody else")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is from the future")]
    Early,
    #[error("the token belongs to another sign-in")]
    Nonce,
}

impl KeySet {
    /// Reads what a provider publishes; keys for other purposes are left out.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(body).ok()?;
        let published = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Published>(key).ok());
        Some(Self { keys: published.filter_map(|key| Some((key.kid.clone(), Key::of(&key)?))).collect() })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key that a token names; a provider with a single key of the kind need not name it.
    fn find(&self, id: Option<&str>, algorithm: &str) -> Option<&Key> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|(known, key)| key.algorithm() == algorithm && (id.is_none() || known.as_deref() == id));
        match (fitting.next(), fitting.next()) {
            (Some((_, key)), None) => Some(key),
            _ => None,
        }
    }
}

impl Key {
    fn of(key: &Published) -> Option<Self> {
        if key.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?.trim_end_matches('=')).ok();
        let made = match key.kty.as_str() {
            "RSA" => {
                let n = bytes(&key.n)?;
                let first = n.iter().position(|byte| *byte != 0)?;
                Self::Rsa { n: n[first..].to_vec(), e: bytes(&key.e)? }
            }
            "EC" if key.crv.as_deref() == Some("P-256") => {
                let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                Self::P256 { point: [&[4][..], &x, &y].concat() }
            }
            _ => return None,
        };
        let fits = key.alg.as_deref().is_none_or(|algorithm| algorithm == made.algorithm());
        fits.then_some(made)
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256 { .. } => "ES256",
        }
    }

    fn verifies(&self, parts: &Parts<'_>) -> bool {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, parts.signed, &parts.signature)
                .is_ok(),
            Self::P256 { point } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(parts.signed, &parts.signature).is_ok()
            }
        }
    }
}

/// The claims of a token, if all is as expected.
///
/// # Errors
/// See [`TokenProblem`]; after [`TokenProblem::UnknownKey`] it is worth to ask the provider for its keys again.
pub(crate) fn verify(parts: &Parts<'_>, keys: &KeySet, expected: &Expected<'_>) -> Result<Value, TokenProblem> {
    let algorithm = parts.header.alg.as_str();
    if !matches!(algorithm, "RS256" | "ES256") {
        return Err(TokenProblem::Algorithm);
    }
    let key = keys.find(parts.header.kid.as_deref(), algorithm).ok_or(TokenProblem::UnknownKey)?;
    if !key.verifies(parts) {
        return Err(TokenProblem::Signature);
    }
    let claims: Value = parts.claims().ok_or(TokenProblem::Malformed)?;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Value, expected: &Expected<'_>) -> Result<(), TokenProblem> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    if text("iss") != Some(expected.issuer) {
        return Err(TokenProblem::Issuer);
    }
    let (is_for_us, is_for_others) = match claims.get("aud") {
        Some(Value::String(audience)) => (audience == expected.client, false),
        Some(Value::Array(audiences)) => {
            (audiences.iter().any(|audience| audience == expected.client), audiences.len() > 1)
        }
        _ => (false, false),
    };
    let party = text("azp");
    if !is_for_us || party.is_some_and(|party| party != expected.client) || (is_for_others && party.is_none()) {
        return Err(TokenProblem::Audience);
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of this millennium are exact")]
    let (now, leeway) = (expected.now.timestamp() as f64, LEEWAY as f64);
    if time("exp").ok_or(TokenProblem::Malformed)? <= now - leeway {
        return Err(TokenProblem::Expired);
    }
    let is_early = |name: &str| time(name).is_some_and(|time| time > now + leeway);
    time("iat").ok_or(TokenProblem::Malformed)?;
    if is_early("iat") || is_early("nbf") {
        return Err(TokenProblem::Early);
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(TokenProblem::Nonce);
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err(TokenProblem::Malformed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use chrono::DateTime;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::{Expected, KeySet, TokenProblem, verify};
    use crate::identity::jws::{self, Header};

    const NOW: i64 = 1_795_000_000;

    struct Signer {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Signer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
            Self { pair, random }
        }

        fn published(&self, more: Value) -> Value {
            let point = self.pair.public_key().as_ref();
            let mut key = json!({
                "kty": "EC", "crv": "P-256", "kid": "k1",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
            });
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key
        }

        fn token(&self, alg: &str, kid: Option<&str>, claims: &Value) -> String {
            let header = Header { alg: alg.to_owned(), kid: kid.map(str::to_owned), typ: None, crit: None };
            let sign = |bytes: &[u8]| self.pair.sign(&self.random, bytes).unwrap().as_ref().to_vec();
            jws::sign(&header, claims, sign).unwrap()
        }
    }

    fn claims() -> Value {
        json!({ "iss": "https://id.corp", "aud": "docs", "sub": "7", "nonce": "n", "iat": NOW, "exp": NOW + 300 })
    }

    fn keys(published: &[Value]) -> KeySet {
        KeySet::parse(json!({ "keys": published }).to_string().as_bytes()).unwrap()
    }

    fn outcome(token: &str, keys: &KeySet) -> Result<(), TokenProblem> {
        let expected = Expected {
            issuer: "https://id.corp",
            client: "docs",
            nonce: "n",
            now: DateTime::from_timestamp(NOW, 0).unwrap(),
        };
        verify(&jws::split(token).unwrap(), keys, &expected).map(drop)
    }

    #[test]
    fn claims_that_are_not_as_expected() {
        let signer = Signer::new();
        let keys = keys(&[signer.published(json!({}))]);
        assert_eq!(outcome(&signer.token("ES256", Some("k1"), &claims()), &keys), Ok(()));
        for (name, value, expected) in [
            ("iss", json!("https://id.corp/"), Err(TokenProblem::Issuer)),
            ("iss", Value::Null, Err(TokenProblem::Issuer)),
            ("aud", json!("other"), Err(TokenProblem::Audience)),
            ("aud", json!(["docs"]), Ok(())),
            ("aud", json!(["docs", "other"]), Err(TokenProblem::Audience)),
            ("azp", json!("other"), Err(TokenProblem::Audience)),
            ("azp", json!("docs"), Ok(())),
            ("exp", json!(NOW - 61), Err(TokenProblem::Expired)),
            ("exp", json!(NOW - 59), Ok(())),
            ("exp", Value::Null, Err(TokenProblem::Malformed)),
            ("iat", json!(NOW + 61), Err(TokenProblem::Early)),
            ("iat", Value::Null, Err(TokenProblem::Malformed)),
            ("nbf", json!(NOW + 61), Err(TokenProblem::Early)),
            ("nonce", json!("m"), Err(TokenProblem::Nonce)),
            ("nonce", Value::Null, Err(TokenProblem::Nonce)),
            ("sub", json!(""), Err(TokenProblem::Malformed)),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert_eq!(outcome(&signer.token("ES256", Some("k1"), &claims), &keys), expected, "{name} {value}");
        }
    }

    #[test]
    fn signatures_that_are_not_the_providers() {
        let (signer, other) = (Signer::new(), Signer::new());
        let own = keys(&[signer.published(json!({}))]);
        for (token, expected) in [
            (signer.token("none", Some("k1"), &claims()), TokenProblem::Algorithm),
            (signer.token("HS256", Some("k1"), &claims()), TokenProblem::Algorithm),
            (signer.token("RS256", Some("k1"), &claims()), TokenProblem::UnknownKey),
            (signer.token("ES256", Some("k2"), &claims()), TokenProblem::UnknownKey),
            (other.token("ES256", Some("k1"), &claims()), TokenProblem::Signature),
        ] {
            assert_eq!(outcome(&token, &own), Err(expected), "{token}");
        }
        let unnamed = signer.token("ES256", None, &claims());
        assert_eq!(outcome(&unnamed, &own), Ok(()), "there is only one");
        let two = keys(&[signer.published(json!({})), other.published(json!({ "kid": "k2" }))]);
        assert_eq!(outcome(&unnamed, &two), Err(TokenProblem::UnknownKey), "which of two?");
        assert_eq!(outcome(&other.token("ES256", Some("k2"), &claims()), &two), Ok(()));
    }

    #[test]
    fn keys_for_other_purposes_are_left_out() {
        let signer = Signer::new();
        for (more, count) in [
            (json!({ "use": "sig", "alg": "ES256" }), 1),
            (json!({ "use": "enc" }), 0),
            (json!({ "alg": "RS256" }), 0),
            (json!({ "crv": "P-384" }), 0),
            (json!({ "kty": "oct" }), 0),
            (json!({ "x": "AA" }), 0),
        ] {
            assert_eq!(keys(&[signer.published(more.clone()), json!(7)]).len(), count, "{more}");
        }
        assert!(KeySet::parse(b"{}").is_none());
    }
}
