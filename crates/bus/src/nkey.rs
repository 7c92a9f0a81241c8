//! Keys instead of passwords: the broker knows the public half, so its configuration holds no secret.

use std::fmt;

use nkeys::{KeyPair, KeyPairType};

/// The key of a user of the broker. Shows only its public half.
#[derive(Clone)]
pub struct Nkey {
    seed: String,
    public: String,
}

/// The text is no key of a user.
#[derive(Debug, thiserror::Error)]
#[error("not the seed of an NKey user (`SU…`)")]
pub struct NkeyError;

impl Nkey {
    /// Reads a seed; spaces and line ends around it are dropped.
    ///
    /// # Errors
    /// If it is none, or of something that is no user. The text is not repeated.
    pub fn parse(seed: &str) -> Result<Self, NkeyError> {
        let pair = KeyPair::from_seed(seed.trim()).map_err(|_| NkeyError)?;
        Self::of(&pair)
    }

    /// A new key, of the system's random source.
    ///
    /// # Panics
    /// If the system has no random source.
    #[must_use]
    pub fn generate() -> Self {
        Self::of(&KeyPair::new_user()).expect("a pair that was made for a user has a seed")
    }

    fn of(pair: &KeyPair) -> Result<Self, NkeyError> {
        if pair.key_pair_type() != KeyPairType::User {
            return Err(NkeyError);
        }
        Ok(Self { seed: pair.seed().map_err(|_| NkeyError)?, public: pair.public_key() })
    }

    /// What the broker knows the user by.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The secret: for the file that keeps it, and for the connection.
    #[must_use]
    pub fn seed(&self) -> &str {
        &self.seed
    }
}

impl fmt::Debug for Nkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Nkey").field(&self.public).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Nkey;

    #[test]
    fn a_seed_survives_its_file_and_is_not_shown() {
        let key = Nkey::generate();
        let read = Nkey::parse(&format!(" {}\n", key.seed())).unwrap();
        assert_eq!(read.public(), key.public());
        assert!(key.seed().starts_with("SU") && key.public().starts_with('U'));
        assert!(!format!("{key:?}").contains(key.seed()));
    }

    #[test]
    fn what_is_no_users_seed_is_refused_without_repeating_it() {
        let account = nkeys::KeyPair::new_account().seed().unwrap();
        for text in ["", "SUsecret", account.as_str(), Nkey::generate().public()] {
            let error = Nkey::parse(text).unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
