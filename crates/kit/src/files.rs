//! How many files the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many as anybody needs. More than that has a price: programs that close all files before they start another.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as the system lets everybody. The usual one of a login shell, 1,024, is there for programs that
/// keep files in a set of fixed size; a gateway has a connection for each of its clients.
pub fn allow_many_files() {
    let limits = getrlimit(Resource::Nofile);
    let wanted = limits.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if limits.current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limits.maximum }) {
        tracing::warn!(error = %error, wanted, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::{ENOUGH, allow_many_files};

    #[test]
    fn a_low_limit_is_raised() {
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(512), ..before }).unwrap();
        allow_many_files();
        let expected = before.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(expected));
        setrlimit(Resource::Nofile, before).unwrap();
    }
}
