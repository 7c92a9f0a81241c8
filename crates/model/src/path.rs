//! Paths inside a repository. Strings with rules, never opened on a disk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest accepted path in bytes.
const MAX_PATH_BYTES: usize = 4096;

/// Why a path of a git tree is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No bytes at all.
    #[error("the path is empty")]
    Empty,
    /// More than 4,096 bytes.
    #[error("the path is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
    /// Bytes that are not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A leading `/` or an empty component.
    #[error("the path is absolute or has an empty component")]
    NotRelative,
    /// A component `.` or `..`.
    #[error("the path climbs with `.` or `..`")]
    Climbs,
    /// A component that git itself reserves.
    #[error("the path has a `.git` component")]
    DotGit,
    /// NUL, another control character or a backslash.
    #[error("the path has a control character or a backslash")]
    ControlCharacter,
}

/// A relative, slash-separated path of a file in a commit that passed every rule of [`PathError`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

impl RepoPath {
    /// Checks the bytes of a tree entry's path.
    ///
    /// # Errors
    /// The first rule that the path breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.is_empty() {
            return Err(PathError::Empty);
        }
        if bytes.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PathError::NotUtf8)?;
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(PathError::ControlCharacter);
        }
        for component in text.split('/') {
            match component {
                "" => return Err(PathError::NotRelative),
                "." | ".." => return Err(PathError::Climbs),
                _ if component.eq_ignore_ascii_case(".git") => return Err(PathError::DotGit),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that holds the file; empty for a file at the top.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoPath({:?})", self.0)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(text.as_bytes())
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::{PathError, RepoPath};

    fn check(path: &[u8], expected: Result<&str, PathError>) {
        let parsed = RepoPath::parse(path);
        assert_eq!(parsed.as_ref().map(RepoPath::as_str), expected.as_ref().copied(), "{path:?}");
    }

    #[test]
    fn rules() {
        check(b"src/main.rs", Ok("src/main.rs"));
        check("größe/ü b.py".as_bytes(), Ok("größe/ü b.py"));
        check(b"", Err(PathError::Empty));
        check(b"/etc/passwd", Err(PathError::NotRelative));
        check(b"a//b", Err(PathError::NotRelative));
        check(b"a/../b", Err(PathError::Climbs));
        check(b"./a", Err(PathError::Climbs));
        check(b"a/.GIT/config", Err(PathError::DotGit));
        check(b"a\\b", Err(PathError::ControlCharacter));
        check(b"a\0b", Err(PathError::ControlCharacter));
        check(b"a\nb", Err(PathError::ControlCharacter));
        check(b"\xff", Err(PathError::NotUtf8));
        check(&[b'a'; 5000], Err(PathError::TooLong));
    }
}
