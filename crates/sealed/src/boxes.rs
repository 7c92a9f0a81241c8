//! Sealing and opening.
//!
//! A box is: one byte of version, eight bytes that say which key it was sealed to, 32 bytes of the encapsulated key, and
//! the ciphertext with its tag.

use caffeine_model::{CredentialId, WorkspaceId};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use zeroize::Zeroizing;

use crate::{PrivateKey, PublicKey, Secret, SecretKind};

const VERSION: u8 = 1;
const INFO: &[u8] = b"caffeine credential v1";
const MARK: usize = 8;
const ENCAPSULATED: usize = 32;

/// What a credential is for. A box does not open for anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its row.
    pub credential: CredentialId,
    /// Its kind.
    pub kind: SecretKind,
    /// The only `host:port` it may be shown to.
    pub host: &'a str,
}

/// Why a box stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed to a key that is not ours (any more).
    #[error("sealed to another key")]
    OtherKey,
    /// Damaged, or moved to where it does not belong.
    #[error("damaged, or not sealed for this place")]
    Closed,
}

impl Binding<'_> {
    /// What is authenticated beside the secret. Identifiers have a fixed length, so nothing can be shifted.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48 + self.host.len());
        bytes.extend_from_slice(self.workspace.as_uuid().as_bytes());
        bytes.extend_from_slice(self.credential.as_uuid().as_bytes());
        bytes.extend_from_slice(self.kind.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.host.as_bytes());
        bytes
    }
}

/// Seals a secret for one place.
///
/// # Panics
/// Never: the key was checked when it was read, and no secret is gibibytes long.
#[must_use]
pub fn seal(key: &PublicKey, binding: &Binding<'_>, secret: &Secret) -> Vec<u8> {
    let clear = Zeroizing::new(serde_json::to_vec(secret).expect("texts can be written as JSON"));
    let (encapsulated, ciphertext) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key.0,
        INFO,
        &clear,
        &binding.bytes(),
    )
    .expect("a checked key and a short text can be sealed");
    let mut sealed = Vec::with_capacity(1 + MARK + ENCAPSULATED + ciphertext.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&key.mark());
    sealed.extend_from_slice(&encapsulated.to_bytes());
    sealed.extend_from_slice(&ciphertext);
    sealed
}

/// Opens a box.
///
/// # Errors
/// See [`OpenError`].
pub fn open(key: &PrivateKey, binding: &Binding<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
    let (version, rest) = sealed.split_first().ok_or(OpenError::Closed)?;
    let (mark, rest) = rest.split_at_checked(MARK).ok_or(OpenError::Closed)?;
    let (encapsulated, ciphertext) = rest.split_at_checked(ENCAPSULATED).ok_or(OpenError::Closed)?;
    if *version != VERSION {
        return Err(OpenError::Closed);
    }
    if mark != key.public().mark() {
        return Err(OpenError::OtherKey);
    }
    let encapsulated =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| OpenError::Closed)?;
    let clear = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key.0,
        &encapsulated,
        INFO,
        ciphertext,
        &binding.bytes(),
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenError::Closed)?;
    serde_json::from_slice(&clear).map_err(|_| OpenError::Closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Secret {
        Secret::Token { user: "ada".to_owned(), token: "s3cret".to_owned(), authority: String::new() }
    }

    fn binding(host: &str) -> Binding<'_> {
        Binding {
            workspace: WorkspaceId::from_uuid("00000000-0000-7000-8000-000000000001".parse().unwrap()),
            credential: CredentialId::from_uuid("00000000-0000-7000-8000-000000000002".parse().unwrap()),
            kind: SecretKind::Token,
            host,
        }
    }

    #[test]
    fn only_the_private_key_opens_it_and_only_in_its_place() {
        let key = PrivateKey::generate();
        let place = binding("git.corp:443");
        let sealed = seal(&key.public(), &place, &token());
        assert!(open(&key, &place, &sealed) == Ok(token()));
        assert_ne!(seal(&key.public(), &place, &token()), sealed, "no two boxes look alike");
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));

        assert_eq!(open(&PrivateKey::generate(), &place, &sealed), Err(OpenError::OtherKey));
        for elsewhere in [
            binding("evil.example:443"),
            Binding { workspace: WorkspaceId::generate(), ..place },
            Binding { credential: CredentialId::generate(), ..place },
            Binding { kind: SecretKind::SshKey, ..place },
        ] {
            assert_eq!(open(&key, &elsewhere, &sealed), Err(OpenError::Closed), "{elsewhere:?}");
        }
    }

    #[test]
    fn a_damaged_box_stays_closed() {
        let key = PrivateKey::generate();
        let place = binding("git.corp:443");
        let sealed = seal(&key.public(), &place, &token());
        for length in 0..sealed.len() {
            assert!(open(&key, &place, &sealed[..length]).is_err(), "{length} bytes");
        }
        for position in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[position] ^= 1;
            assert!(open(&key, &place, &flipped).is_err(), "byte {position}");
        }
    }
}
