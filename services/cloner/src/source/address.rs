//! What a person may write as the address of a repository.

use std::fmt;

use url::{Host, Url};

use crate::CloneError;

const MAX_ADDRESS_BYTES: usize = 2_000;

/// A checked address over http or https: it has a host, no credentials, no query and no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

/// A host and a port, as the operator allows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort(String);

impl Address {
    /// Checks an address by its form alone.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, CloneError> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_ADDRESS_BYTES || text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(refused(
                "The address is empty, too long, or has a space or control character in it: use one of the form \
                 https://host/owner/repository.git",
            ));
        }
        Self::check(Url::parse(text).map_err(|_| refused(hint(text)))?)
    }

    /// The same for an address that a redirect leads to.
    pub(super) fn check(url: Url) -> Result<Self, CloneError> {
        // As it is stored and shown: what is not ASCII takes three times the room there.
        if url.as_str().len() > MAX_ADDRESS_BYTES {
            return Err(refused(format!(
                "The address is too long: it may have {MAX_ADDRESS_BYTES} bytes when encoded"
            )));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(hint(url.as_str())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(
                "The address has a user name or password in it: remove it, addresses are stored and shown",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("The address has a `?` or `#` in it: use the plain address of the repository"));
        }
        match url.host() {
            Some(Host::Domain(name)) if name.starts_with('-') || name.contains("..") => {
                Err(refused("The address has a malformed host name: check it for a typing error"))
            }
            Some(_) => Ok(Self(url)),
            None => Err(refused("The address has no host: use one of the form https://host/owner/repository.git")),
        }
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HostPort {
    /// Reads `host:port`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is not a host and port: write `host:port`, for instance `git.example.com:443`");
        let (_, port) = text.rsplit_once(':').ok_or_else(problem)?;
        // A number may have a sign, and an address more parts than these two.
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if !is_port || text.contains(['/', '?', '#', '@', '\\']) {
            return Err(problem());
        }
        // The form in which the host of an address is compared: lower case, IPv6 in brackets.
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| problem())?;
        match url.host_str() {
            Some(host) if url.path() == "/" && url.username().is_empty() => Ok(Self(format!("{host}:{port}"))),
            _ => Err(problem()),
        }
    }

    /// Whether the address is at this host and port.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        self.is(&Self::of(url))
    }

    /// Whether this is the host and port, written as [`HostPort::of`] writes them.
    #[must_use]
    pub(crate) fn is(&self, host_port: &str) -> bool {
        self.0 == host_port
    }

    /// Host and port of an address.
    pub(crate) fn of(url: &Url) -> String {
        let port = url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", url.host_str().unwrap_or_default())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn refused(reason: impl Into<String>) -> CloneError {
    CloneError::refused("address_refused", reason)
}

/// What to do about an address of the wrong kind, without repeating it: it may hold a password.
fn hint(text: &str) -> String {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let known = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) && scheme.len() <= 20;
    match scheme.to_ascii_lowercase().as_str() {
        scheme if scheme == "file" || text.starts_with('/') => {
            "Repositories on a disk are not cloned: use the https:// address of the repository".to_owned()
        }
        "" => "The address is not complete: use one of the form https://host/owner/repository.git".to_owned(),
        _ if !known => "The address is malformed: use one of the form https://host/owner/repository.git".to_owned(),
        scheme => format!("Addresses with `{scheme}:` are not cloned: use the https:// address of the repository"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, HostPort};
    use url::Url;

    /// Checks that an address is refused with a sentence that has these words and not the address.
    fn refused(text: &str, words: &str) {
        let reason = Address::parse(text).expect_err(text).to_string();
        assert!(reason.contains(words), "{text}: {reason}");
        assert!(!reason.contains("s3cret"), "{text}: {reason}");
    }

    #[test]
    fn only_plain_web_addresses() {
        for text in ["https://github.com/rust-lang/log", "http://127.0.0.1:8080/repo.git", "https://h/größe.git"] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
        refused("", "empty");
        refused("https://h/a b", "space");
        refused("https://h/a\nb", "control character");
        refused("file:///etc", "on a disk");
        refused("FILE:///etc", "on a disk");
        refused("file://host/share", "on a disk");
        refused("/srv/repo.git", "on a disk");
        refused("/srv/a@b:c", "on a disk");
        refused("ssh://git@h/repo", "https://");
        refused("git@github.com:owner/repo.git", "https://");
        refused("git://h/repo", "`git:`");
        refused("ext::sh -c s3cret", "space");
        refused("ext::s3cret", "`ext:`");
        refused("ftp://h/repo", "`ftp:`");
        refused("https://user:s3cret@h/repo", "password");
        refused("https://user@h/repo", "user name");
        refused("https://h/repo?token=s3cret", "`?`");
        refused("https://-oProxyCommand=s3cret/repo", "host");
        refused("repo", "not complete");
        refused("-u s3cret", "space");
        refused("--upload-pack=s3cret", "not complete");
        refused("https://", "");
        refused(&format!("https://h/{}", "a".repeat(3_000)), "too long");
        refused(&format!("https://h/{}", "ö".repeat(900)), "encoded");
    }

    #[test]
    fn allowed_hosts_are_exact() {
        let matches = |allowed: &str, url: &str| HostPort::parse(allowed).unwrap().matches(&Url::parse(url).unwrap());
        assert!(matches("git.corp:443", "https://GIT.corp/x"));
        assert!(matches("Git.Corp:443", "https://git.corp/x"));
        assert!(matches("127.0.0.1:8080", "http://127.0.0.1:8080/x"));
        assert!(matches("[::1]:80", "http://[::1]/x"));
        assert!(!matches("git.corp:443", "http://git.corp/x"));
        assert!(!matches("git.corp:443", "https://a.git.corp/x"));
        assert!(!matches("127.0.0.1:8080", "http://127.0.0.1:8081/x"));
        for text in ["git.corp", "git.corp:x", ":80", "a@b:80", "a/b:80", ""] {
            assert!(HostPort::parse(text).is_err(), "{text}");
        }
    }
}
