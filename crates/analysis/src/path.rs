//! A path inside a repository, checked once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest path that is accepted, in bytes.
pub const MAX_PATH_BYTES: usize = 4096;

/// A relative path with `/` between its components that cannot leave the repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum PathError {
    #[error("path is empty")]
    Empty,
    #[error("path is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
    #[error("path is not UTF-8")]
    NotUtf8,
    #[error("path is absolute")]
    Absolute,
    #[error("path has an empty component")]
    EmptyComponent,
    #[error("path has a '.' or '..' component")]
    DotComponent,
    #[error("path has a '.git' component")]
    GitComponent,
    #[error("path contains a NUL byte")]
    Nul,
    #[error("path contains a backslash")]
    Backslash,
    #[error("path contains a control character")]
    Control,
}

impl RepoPath {
    /// Checks the bytes of a git tree entry's full path.
    ///
    /// # Errors
    /// Names the first reason to refuse it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.is_empty() {
            return Err(PathError::Empty);
        }
        if bytes.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PathError::NotUtf8)?;
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.contains('\\') {
            return Err(PathError::Backslash);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        for component in text.split('/') {
            check_component(component)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_component(component: &str) -> Result<(), PathError> {
    match component {
        "" => Err(PathError::EmptyComponent),
        "." | ".." => Err(PathError::DotComponent),
        // Case folding file systems read `.GIT` as `.git`.
        _ if component.eq_ignore_ascii_case(".git") => Err(PathError::GitComponent),
        _ => Ok(()),
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for RepoPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RepoPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
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
    use super::{MAX_PATH_BYTES, PathError, RepoPath};

    #[test]
    fn paths_that_stay_inside_are_kept_as_they_are() {
        for path in [
            "a",
            "src/lib.rs",
            ".github/workflows/ci.yml",
            "a b/ü.txt",
            "..a/b..",
            ".gitignore",
            "a/.gitkeep",
        ] {
            assert_eq!(
                RepoPath::parse(path.as_bytes()).map(String::from),
                Ok(path.to_owned())
            );
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let long = vec![b'a'; MAX_PATH_BYTES + 1];
        let cases: [(&[u8], PathError); 14] = [
            (b"", PathError::Empty),
            (b"/etc/passwd", PathError::Absolute),
            (b"a/../b", PathError::DotComponent),
            (b"./a", PathError::DotComponent),
            (b"..", PathError::DotComponent),
            (b"a//b", PathError::EmptyComponent),
            (b"a/", PathError::EmptyComponent),
            (b".git/config", PathError::GitComponent),
            (b"sub/.GIT", PathError::GitComponent),
            (b"a\\b", PathError::Backslash),
            (b"a\0b", PathError::Nul),
            (b"a\nb", PathError::Control),
            (b"a\xffb", PathError::NotUtf8),
            (&long, PathError::TooLong),
        ];
        for (bytes, reason) in cases {
            assert_eq!(
                RepoPath::parse(bytes),
                Err(reason),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
}
