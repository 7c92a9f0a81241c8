//! The unit of analysis: one content at one path of one repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{RepoPath, RepositoryId};

/// A git object id (SHA-1), as stored in the object database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid([u8; 20]);

/// A text or byte string that is no object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a git object id of 40 hexadecimal digits")]
pub struct OidError(pub String);

impl Oid {
    /// Wraps the 20 bytes of an object id.
    ///
    /// # Errors
    /// If there are not exactly 20 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OidError> {
        bytes.try_into().map(Self).map_err(|_| OidError(hex::encode(bytes)))
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| OidError(text.to_owned()))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Oid {
    type Error = OidError;

    fn try_from(text: String) -> Result<Self, OidError> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.to_string()
    }
}

/// Identifies a file version: derived from (repository, path, oid), so every service computes the same one and a
/// commit that leaves a file alone finds its rows again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileVersionId(Uuid);

impl FileVersionId {
    /// Derives the identifier: the first 16 bytes of BLAKE3 over the three parts, marked as UUID version 8.
    #[must_use]
    pub fn derive(repository: RepositoryId, path: &RepoPath, oid: Oid) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("caffeine 2026 file version");
        hasher.update(repository.as_uuid().as_bytes());
        hasher.update(oid.as_bytes());
        hasher.update(path.as_str().as_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(Uuid::new_v8(bytes))
    }

    /// Wraps an existing UUID, for instance one read from a row.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID inside.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for FileVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{FileVersionId, Oid};
    use crate::{RepoPath, RepositoryId};

    #[test]
    fn each_part_counts() {
        let repository = RepositoryId::generate();
        let path = |text: &str| RepoPath::parse(text.as_bytes()).unwrap();
        let oid = |byte: u8| Oid::from_bytes(&[byte; 20]).unwrap();
        let one = FileVersionId::derive(repository, &path("a"), oid(1));
        assert_eq!(one, FileVersionId::derive(repository, &path("a"), oid(1)));
        assert_ne!(one, FileVersionId::derive(repository, &path("b"), oid(1)));
        assert_ne!(one, FileVersionId::derive(repository, &path("a"), oid(2)));
        assert_ne!(one, FileVersionId::derive(RepositoryId::generate(), &path("a"), oid(1)));
    }

    #[test]
    fn oid_text_round_trip() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(text.parse::<Oid>().unwrap().to_string(), text);
        assert!("0123".parse::<Oid>().is_err());
        assert!(Oid::from_bytes(&[0; 19]).is_err());
    }
}
