//! Roles, rights and scopes: who may do what.

use std::fmt;
use std::str::FromStr;

/// What a user is, from the one that may least. Of several that a provider gives, the highest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// Reads.
    Viewer,
    /// Reads, also what others may not see, and changes nothing.
    Auditor,
    /// Starts runs and writes prompts.
    Author,
    /// Adds and deletes what the installation works on.
    Maintainer,
    /// Everything.
    Admin,
}

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Right {
    /// To look at what is one's own: who one is, one's sessions and tokens.
    Own,
    /// To change what is one's own.
    ChangeOwn,
    /// To read repositories, runs, documents, prompts, and to search.
    Read,
    /// To add repositories, to start and to end runs, to write prompts.
    Write,
    /// To delete repositories, and to keep credentials and webhooks.
    Maintain,
    /// To see the users, the queues and the dead letters.
    Inspect,
    /// To read the audit log.
    Audit,
    /// To change users and to handle dead letters.
    Administer,
}

/// What a token allows at most. Each holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// To look.
    Read,
    /// To change.
    Write,
    /// To administer.
    Admin,
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: `viewer`, `auditor`, `author`, `maintainer` or `admin`")]
pub(crate) struct RoleError(String);

impl Role {
    /// All, from the one that may least.
    pub(crate) const ALL: [Self; 5] = [Self::Viewer, Self::Auditor, Self::Author, Self::Maintainer, Self::Admin];

    /// The role in one word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Author => "author",
            Self::Maintainer => "maintainer",
            Self::Admin => "admin",
        }
    }

    /// Whether the role has the right. The only place that says so.
    pub(crate) const fn may(self, right: Right) -> bool {
        match right {
            Right::Own | Right::ChangeOwn | Right::Read => true,
            Right::Write => matches!(self, Self::Author | Self::Maintainer | Self::Admin),
            Right::Maintain => matches!(self, Self::Maintainer | Self::Admin),
            Right::Inspect | Right::Audit => matches!(self, Self::Auditor | Self::Admin),
            Right::Administer => matches!(self, Self::Admin),
        }
    }
}

impl Right {
    /// The scope that a token needs for it.
    pub(crate) const fn scope(self) -> Scope {
        match self {
            Self::Own | Self::Read | Self::Inspect | Self::Audit => Scope::Read,
            Self::ChangeOwn | Self::Write | Self::Maintain => Scope::Write,
            Self::Administer => Scope::Admin,
        }
    }

    /// The lowest role that has it, for whoever has not.
    pub(crate) fn lowest_role(self) -> Role {
        Role::ALL.into_iter().find(|role| role.may(self)).unwrap_or(Role::Admin)
    }
}

impl Scope {
    /// All, from the one that allows least.
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The scope in one word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope of a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(word: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or_else(|| RoleError(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Right, Role, Scope};

    #[test]
    fn each_role_has_what_the_lower_ones_have_except_for_the_auditor() {
        let rights = [
            (Right::Read, "viewer auditor author maintainer admin"),
            (Right::ChangeOwn, "viewer auditor author maintainer admin"),
            (Right::Write, "author maintainer admin"),
            (Right::Maintain, "maintainer admin"),
            (Right::Inspect, "auditor admin"),
            (Right::Audit, "auditor admin"),
            (Right::Administer, "admin"),
        ];
        for (right, expected) in rights {
            let found: Vec<&str> = Role::ALL.into_iter().filter(|role| role.may(right)).map(Role::as_str).collect();
            assert_eq!(found.join(" "), expected, "{right:?}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("Admin".parse::<Role>().is_err() && "".parse::<Role>().is_err());
        assert_eq!(Scope::parse("write"), Some(Scope::Write));
        assert_eq!(Scope::parse("all"), None);
    }

    #[test]
    fn the_highest_wins() {
        assert_eq!([Role::Author, Role::Viewer, Role::Auditor].into_iter().max(), Some(Role::Author));
    }
}
