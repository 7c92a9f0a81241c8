//! API tokens: `cc_` and 43 characters of 64, which is 258 random bits.

use sha2::{Digest, Sha256};

const PREFIX: &str = "cc_";
const LENGTH: usize = 43;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A new token.
///
/// # Errors
/// If the system has no random bytes.
pub(crate) fn generate() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; LENGTH];
    getrandom::fill(&mut bytes)?;
    // The alphabet has 64 letters, so six bits of each byte choose one evenly.
    let secret = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)]));
    Ok(PREFIX.chars().chain(secret).collect())
}

/// Whether a text has the form of a token. Anything else is refused before the database is asked.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .is_some_and(|secret| secret.len() == LENGTH && secret.bytes().all(|byte| ALPHABET.contains(&byte)))
}

/// What is stored of a token.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{generate, hash, is_well_formed};

    #[test]
    fn generated_tokens_are_well_formed_and_differ() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert!(is_well_formed(&one), "{one}");
        assert_ne!(one, other);
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "cc_", "cc_short", &format!("cd_{}", "a".repeat(43)), &format!("cc_{}", "a".repeat(44))] {
            assert!(!is_well_formed(text), "{text}");
        }
        assert!(!is_well_formed(&format!("cc_{}é", "a".repeat(41))));
        assert!(is_well_formed(&format!("cc_{}", "a".repeat(43))));
    }
}
