//! A credential in the hands of the cloner: to whom it is shown, and that nobody else gets to see it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caffeine_sealed::Secret;
use gix::bstr::ByteSlice as _;
use url::Url;

use super::{HostPort, Location};
use crate::CloneError;

/// What stands where a secret stood.
const HIDDEN: &str = "(hidden)";

/// An opened credential. It is for one host and port.
pub struct Credential {
    host: HostPort,
    secret: Secret,
}

/// A user name and a token.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) token: &'a str,
}

/// A deploy key and the host's own keys.
#[derive(Clone, Copy)]
pub(crate) struct DeployKey<'a> {
    pub(crate) private_key: &'a str,
    pub(crate) known_hosts: &'a str,
}

impl Credential {
    /// A credential for one host and port.
    #[must_use]
    pub fn new(host: HostPort, secret: Secret) -> Self {
        Self { host, secret }
    }

    /// Whether it fits an address at all; what follows is told apart by [`Credential::login`] at each hop.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(crate) fn check(credential: Option<&Self>, location: &Location) -> Result<(), CloneError> {
        let host = match location {
            Location::Ssh(address) => address.host_port(),
            Location::Web(address) => HostPort::of(address.url()),
        };
        let (credential, location) = match (credential, location) {
            (None, Location::Web(_)) => return Ok(()),
            (Some(credential), location) if credential.is_ssh() == matches!(location, Location::Ssh(_)) => {
                (credential, location)
            }
            (_, Location::Ssh(_)) => {
                return Err(CloneError::refused(
                    "needs_credentials",
                    "Addresses over ssh are cloned with a deploy key only: store one as a credential of the kind \
                     `ssh_key` and name it, or use the https:// address of the repository",
                ));
            }
            (Some(_), Location::Web(_)) => {
                return Err(CloneError::refused(
                    "credential_kind",
                    "The credential is a deploy key for ssh: use the ssh:// address of the repository, or a token",
                ));
            }
        };
        if !credential.host.is(&host) {
            return Err(CloneError::refused(
                "credential_other_host",
                format!(
                    "The credential is for {}, the address is at {host}: use one that was made for this host",
                    credential.host
                ),
            ));
        }
        match location {
            Location::Web(address) if address.url().scheme() != "https" => Err(CloneError::refused(
                "credential_without_tls",
                "A credential is never sent without TLS: use the https:// address of the repository",
            )),
            _ => Ok(()),
        }
    }

    fn is_ssh(&self) -> bool {
        matches!(self.secret, Secret::SshKey { .. })
    }

    /// What to sign in with at this very address: over https, at the credential's own host and port.
    pub(crate) fn login(&self, url: &Url) -> Option<Login<'_>> {
        match &self.secret {
            Secret::Token { user, token, .. } if url.scheme() == "https" && self.host.matches(url) => {
                Some(Login { user, token })
            }
            _ => None,
        }
    }

    /// The private authority whose word counts at this address, beside the public ones.
    pub(crate) fn authority(&self, url: &Url) -> Option<&str> {
        let certificates = match &self.secret {
            Secret::Token { authority, .. } => authority,
            Secret::Authority { certificates } => certificates,
            Secret::SshKey { .. } => return None,
        };
        (self.host.matches(url) && !certificates.is_empty()).then_some(certificates)
    }

    /// The deploy key.
    pub(crate) fn deploy_key(&self) -> Option<DeployKey<'_>> {
        match &self.secret {
            Secret::SshKey { private_key, known_hosts } => Some(DeployKey { private_key, known_hosts }),
            _ => None,
        }
    }

    /// A text without the secret: a host can send back what it was sent, and its words are shown and stored.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let Secret::Token { user, token, .. } = &self.secret else { return text.to_owned() };
        let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let header = STANDARD.encode(format!("{user}:{token}"));
        [header.as_str(), token, &encoded].iter().fold(text.to_owned(), |text, secret| {
            let hidden = text.as_bytes().replace(secret.as_bytes(), HIDDEN);
            String::from_utf8_lossy(&hidden).into_owned()
        })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, {})", self.secret.kind().as_str(), self.host)
    }
}

#[cfg(test)]
mod tests {
    use caffeine_sealed::Secret;
    use url::Url;

    use super::Credential;
    use crate::source::{HostPort, Location};

    fn token() -> Credential {
        let secret = Secret::Token { user: "ada".to_owned(), token: "s3cr/t".to_owned(), authority: "CA".to_owned() };
        Credential::new(HostPort::parse("git.corp:443").unwrap(), secret)
    }

    #[test]
    fn shown_to_its_own_host_only() {
        let token = token();
        let shown = |url: &str| {
            let url = Url::parse(url).unwrap();
            (token.login(&url).is_some(), token.authority(&url).is_some())
        };
        assert_eq!(shown("https://git.corp/a"), (true, true));
        assert_eq!(shown("https://GIT.corp:443/b"), (true, true));
        for url in
            ["https://git.corp:8443/a", "https://evil.example/a", "https://a.git.corp/a", "https://git.corp.evil/a"]
        {
            assert_eq!(shown(url), (false, false), "{url}");
        }
        assert!(!shown("http://git.corp:443/a").0, "never without TLS");
    }

    #[test]
    fn fits_or_says_why_not() {
        let key = Secret::SshKey { private_key: String::new(), known_hosts: String::new() };
        let key = Credential::new(HostPort::parse("git.corp:22").unwrap(), key);
        let token = token();
        let check = |credential: Option<&Credential>, text: &str, words: &str| {
            let outcome = Credential::check(credential, &Location::parse(text).unwrap());
            match outcome {
                Ok(()) => assert_eq!(words, "", "{text}"),
                Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{text}: {error}"),
            }
        };
        check(None, "https://git.corp/a", "");
        check(None, "git@git.corp:a", "deploy key");
        check(Some(&token), "https://git.corp/a", "");
        check(Some(&token), "http://git.corp:443/a", "without TLS");
        check(Some(&token), "https://evil.example/a", "is for git.corp:443");
        check(Some(&token), "git@git.corp:a", "deploy key");
        check(Some(&key), "git@git.corp:a", "");
        check(Some(&key), "ssh://git@git.corp:2222/a", "is for git.corp:22");
        check(Some(&key), "https://git.corp/a", "for ssh");
    }

    #[test]
    fn nothing_shows_it() {
        let token = token();
        let echo = "refused s3cr/t, s3cr%2Ft and YWRhOnMzY3IvdA== of ada";
        assert_eq!(token.scrub(echo), "refused (hidden), (hidden) and (hidden) of ada");
        assert_eq!(format!("{token:?}"), "Credential(token, git.corp:443)");
    }
}
