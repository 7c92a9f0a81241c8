//! The address of a repository, over the web or over ssh.

use std::fmt;

use caffeine_model::SshAddress;

use super::Address;
use crate::CloneError;

/// A checked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// http or https.
    Web(Address),
    /// ssh; only with a deploy key.
    Ssh(SshAddress),
}

impl Location {
    /// Checks an address by its form alone.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, CloneError> {
        if !SshAddress::is_meant(text) {
            return Address::parse(text).map(Self::Web);
        }
        SshAddress::parse(text).map(Self::Ssh).map_err(|error| {
            CloneError::refused("address_refused", format!("The address over ssh cannot be used: {error}"))
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(address) => address.fmt(f),
            Self::Ssh(address) => address.fmt(f),
        }
    }
}
