//! The pair of keys, and how they are written.

use std::fmt;
use std::str::FromStr;

use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, Serializable as _};
use zeroize::Zeroizing;

/// How the two are told apart in a file or variable.
const PRIVATE: &str = "ccsk_";
const PUBLIC: &str = "ccpk_";

/// A text that is no key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not of our form, or cut short.
    #[error("not a key of `caffeine credential-key`: {0} and 64 hexadecimal digits")]
    Malformed(&'static str),
    /// The other half of a pair.
    #[error("this is the private key; the public one begins with `ccpk_`")]
    Private,
    /// The other half of a pair.
    #[error("this is the public key; the private one begins with `ccsk_`")]
    Public,
}

/// Seals. Not a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(pub(crate) <X25519HkdfSha256 as Kem>::PublicKey);

/// Opens. For the cloner alone.
#[derive(Clone)]
pub struct PrivateKey(pub(crate) <X25519HkdfSha256 as Kem>::PrivateKey);

impl PrivateKey {
    /// A new pair's private half, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(X25519HkdfSha256::gen_keypair().0)
    }

    /// What goes with it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(X25519HkdfSha256::sk_to_pk(&self.0))
    }

    /// The key as it is kept in a file.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.0.to_bytes().to_vec());
        Zeroizing::new(format!("{PRIVATE}{}", *Zeroizing::new(hex::encode(&*bytes))))
    }
}

impl PublicKey {
    /// The first bytes, which say what a box was sealed to.
    pub(crate) fn mark(&self) -> [u8; 8] {
        let mut mark = [0; 8];
        mark.copy_from_slice(&self.0.to_bytes()[..8]);
        mark
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.starts_with(PUBLIC) {
            return Err(KeyError::Public);
        }
        let bytes = Zeroizing::new(bytes(text, PRIVATE)?);
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&bytes).map(Self).map_err(|_| KeyError::Malformed(PRIVATE))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.starts_with(PRIVATE) {
            return Err(KeyError::Private);
        }
        let bytes = bytes(text, PUBLIC)?;
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&bytes).map(Self).map_err(|_| KeyError::Malformed(PUBLIC))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", hex::encode(self.0.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

fn bytes(text: &str, prefix: &'static str) -> Result<Vec<u8>, KeyError> {
    let digits = text.strip_prefix(prefix).ok_or(KeyError::Malformed(prefix))?;
    match hex::decode(digits) {
        Ok(bytes) if bytes.len() == 32 => Ok(bytes),
        _ => Err(KeyError::Malformed(prefix)),
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, PrivateKey, PublicKey};

    #[test]
    fn keys_are_written_and_read() {
        let key = PrivateKey::generate();
        let again: PrivateKey = format!("{}\n", *key.expose()).parse().unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        assert_ne!(PrivateKey::generate().public(), key.public());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let key = PrivateKey::generate();
        assert_eq!(key.expose().parse::<PublicKey>(), Err(KeyError::Private));
        assert!(matches!(key.public().to_string().parse::<PrivateKey>(), Err(KeyError::Public)));
        for text in ["", "ccsk_", "ccsk_00", "ccpk_zz", "s3cret"] {
            assert!(text.parse::<PublicKey>().is_err());
            let error = text.parse::<PrivateKey>().unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert!(!format!("{key:?}").contains(&key.expose()[5..]));
    }
}
