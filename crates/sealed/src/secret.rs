//! What is inside a box.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A credential in clear text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A user name and a token (or password) over https.
    Token {
        /// The user name.
        user: String,
        /// The token.
        token: String,
        /// Certificates of a private authority that the host's own is signed by, as PEM; empty for the usual ones.
        authority: String,
    },
    /// A deploy key over ssh.
    SshKey {
        /// As `ssh-keygen` writes it, without a passphrase.
        private_key: String,
        /// Lines of a `known_hosts` file: which keys the host itself may show.
        known_hosts: String,
    },
    /// A private authority alone, for repositories that anybody may read who gets there.
    Authority {
        /// Its certificates as PEM.
        certificates: String,
    },
}

/// The kinds in one word each, as rows and requests have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// [`Secret::Token`].
    Token,
    /// [`Secret::SshKey`].
    SshKey,
    /// [`Secret::Authority`].
    Authority,
}

impl Secret {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::Token { .. } => SecretKind::Token,
            Self::SshKey { .. } => SecretKind::SshKey,
            Self::Authority { .. } => SecretKind::Authority,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.kind().as_str())
    }
}

impl SecretKind {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::SshKey => "ssh_key",
            Self::Authority => "authority",
        }
    }
}

/// A word that is no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of credential")]
pub struct KindError;

impl FromStr for SecretKind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        [Self::Token, Self::SshKey, Self::Authority].into_iter().find(|kind| kind.as_str() == text).ok_or(KindError)
    }
}
