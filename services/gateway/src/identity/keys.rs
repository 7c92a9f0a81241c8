//! The key ring that sessions are signed with. All replicas have the same one: the first key signs, all of them verify.
//! To change keys: add one at the end everywhere, put it first, drop the old one when its last signature is a quarter of
//! an hour old.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::jws::{self, Header};

/// What the text of a key begins with.
const PREFIX: &str = "ccsk_";
const ALGORITHM: &str = "EdDSA";

/// Why a text is no key ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no key in it.
    #[error("there is no key: `caffeine session-keys <file>` makes one")]
    Empty,
    /// One of them is no key.
    #[error("key {0} is not `ccsk_` and 43 letters, digits, `-` or `_`: `caffeine session-keys <file>` makes one")]
    Malformed(usize),
}

struct Key {
    id: String,
    pair: Ed25519KeyPair,
}

/// The keys.
pub(crate) struct KeyRing {
    keys: Vec<Key>,
}

/// The text of a new key.
///
/// # Errors
/// If the system has no random bytes.
pub(crate) fn generate() -> Result<String, getrandom::Error> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(seed)))
}

impl KeyRing {
    /// Reads keys that are separated by blanks, line ends or commas.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let keys = words
            .enumerate()
            .map(|(index, word)| Key::parse(word).ok_or(KeyError::Malformed(index + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self { keys }) }
    }

    /// Signs claims of a kind with the first key.
    pub(crate) fn sign(&self, kind: &str, claims: &impl Serialize) -> Option<String> {
        let key = self.keys.first()?;
        let header =
            Header { alg: ALGORITHM.to_owned(), kid: Some(key.id.clone()), typ: Some(kind.to_owned()), crit: None };
        jws::sign(&header, claims, |bytes| key.pair.sign(bytes).as_ref().to_vec()).ok()
    }

    /// The claims of a kind, if one of the keys has signed them.
    pub(crate) fn verify<T: DeserializeOwned>(&self, kind: &str, text: &str) -> Option<T> {
        let parts = jws::split(text)?;
        if parts.header.alg != ALGORITHM || parts.header.typ.as_deref() != Some(kind) {
            return None;
        }
        let id = parts.header.kid.as_deref()?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        let public = UnparsedPublicKey::new(&ED25519, key.pair.public_key().as_ref());
        public.verify(parts.signed, &parts.signature).ok()?;
        parts.claims()
    }
}

impl Key {
    fn parse(word: &str) -> Option<Self> {
        let seed = URL_SAFE_NO_PAD.decode(word.strip_prefix(PREFIX)?).ok()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let id = hex::encode(&Sha256::digest(pair.public_key().as_ref())[..8]);
        Some(Self { id, pair })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{KeyError, KeyRing, generate};

    #[test]
    fn a_key_is_changed_without_a_gap() {
        let (old, new) = (generate().unwrap(), generate().unwrap());
        let ring = |text: &str| KeyRing::parse(text).unwrap();
        let (before, added, first, after) =
            (ring(&old), ring(&format!("{old}\n{new}\n")), ring(&format!("{new},{old}")), ring(&new));
        let claims = json!({ "sid": 1 });
        for (signer, readers, strangers) in [
            (&before, vec![&before, &added, &first], vec![&after]),
            (&added, vec![&before, &added, &first], vec![&after]),
            (&first, vec![&added, &first, &after], vec![&before]),
        ] {
            let text = signer.sign("session", &claims).unwrap();
            for reader in readers {
                assert_eq!(reader.verify::<Value>("session", &text), Some(claims.clone()));
            }
            for stranger in strangers {
                assert_eq!(stranger.verify::<Value>("session", &text), None);
            }
        }
    }

    #[test]
    fn nothing_else_is_taken() {
        let ring = KeyRing::parse(&generate().unwrap()).unwrap();
        let text = ring.sign("session", &json!({})).unwrap();
        assert!(ring.verify::<Value>("login", &text).is_none(), "another kind");
        let (signed, _) = text.rsplit_once('.').unwrap();
        assert!(ring.verify::<Value>("session", &format!("{signed}.")).is_none(), "no signature");
        let changed = text.replacen(".e", ".f", 1);
        assert!(changed != text && ring.verify::<Value>("session", &changed).is_none(), "{changed}");
    }

    #[test]
    fn texts_that_are_no_keys() {
        assert!(matches!(KeyRing::parse(" \n"), Err(KeyError::Empty)));
        for text in ["secret", "ccsk_", "ccsk_AAAA", &format!("ccsk_{}", "!".repeat(43))] {
            assert!(matches!(KeyRing::parse(text), Err(KeyError::Malformed(1))), "{text}");
        }
    }
}
