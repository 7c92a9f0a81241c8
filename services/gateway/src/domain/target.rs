//! Where a repository is, together with the credential that is to open it.

use ::url::Url;
use caffeine_model::SshAddress;

use super::url::{self, UrlError};

/// A checked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// In the form in which it is stored and compared.
    pub(crate) url: String,
    /// A name for a repository that was added without one.
    pub(crate) name: String,
}

/// The credential, as much as matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opener<'a> {
    /// Its kind in one word.
    pub(crate) kind: &'a str,
    /// The only `host:port` it is shown to.
    pub(crate) host: &'a str,
}

/// Why address and credential do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// The address itself.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// An address over ssh that ssh could misread.
    #[error("The ssh address is refused: {0}.")]
    Ssh(#[from] caffeine_model::SshAddressError),
    /// A credential for ssh, and an address that is not.
    #[error("The credential is an `ssh_key`. Give an address such as ssh://git@host/owner/repository.git.")]
    NeedsSsh,
    /// A token that would be readable on its way.
    #[error("A credential is never sent without TLS. Give the https:// address of the repository.")]
    NeedsTls,
    /// A credential for somewhere else.
    #[error("The credential is for {credential}, the address is at {address}. Use one that was made for this host.")]
    OtherHost {
        /// Where it may be shown.
        credential: String,
        /// Where it would be shown.
        address: String,
    },
}

impl TargetError {
    /// A stable word.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Url(error) => error.code(),
            Self::Ssh(_) => "url_malformed",
            Self::NeedsSsh | Self::NeedsTls => "url_scheme_refused",
            Self::OtherHost { .. } => "credential_other_host",
        }
    }

    /// Where in the body the fault is.
    pub(crate) const fn pointer(&self) -> &'static str {
        if matches!(self, Self::OtherHost { .. }) { "/credential" } else { "/url" }
    }
}

/// Judges an address that is to be read with a credential, or without.
///
/// # Errors
/// See [`TargetError`].
pub(crate) fn check(text: &str, opener: Option<Opener<'_>>) -> Result<Target, TargetError> {
    let Some(opener) = opener else {
        let url = url::check(text)?;
        return Ok(Target { name: url::default_name(&url), url: url.into() });
    };
    let (target, host) = if opener.kind == "ssh_key" {
        if !SshAddress::is_meant(text) {
            // What is no address at all is told so; a good web address only lacks the right credential.
            url::check(text)?;
            return Err(TargetError::NeedsSsh);
        }
        let address = SshAddress::parse(text)?;
        let last = address.path().rsplit('/').next().unwrap_or_default();
        let name = last.strip_suffix(".git").unwrap_or(last);
        let name = if name.is_empty() { address.host() } else { name };
        (Target { url: address.to_string(), name: name.chars().take(200).collect() }, address.host_port())
    } else {
        let url = url::check(text)?;
        if url.scheme() != "https" {
            return Err(TargetError::NeedsTls);
        }
        let host = host_port(&url);
        (Target { name: url::default_name(&url), url: url.into() }, host)
    };
    if host != opener.host {
        return Err(TargetError::OtherHost { credential: opener.host.to_owned(), address: host });
    }
    Ok(target)
}

fn host_port(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Opener, check};

    fn stored(text: &str, opener: Option<(&str, &str)>, url: &str, name: &str) {
        let target = check(text, opener.map(|(kind, host)| Opener { kind, host })).unwrap();
        assert_eq!((target.url.as_str(), target.name.as_str()), (url, name));
    }

    fn refused(text: &str, opener: Option<(&str, &str)>, code: &str) {
        let error = check(text, opener.map(|(kind, host)| Opener { kind, host })).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn address_and_credential_go_together() {
        let token = Some(("token", "git.corp:443"));
        let key = Some(("ssh_key", "git.corp:22"));
        stored("https://git.corp/a/b.git", None, "https://git.corp/a/b.git", "b");
        stored("https://GIT.corp:443/a", token, "https://git.corp/a", "a");
        stored("git@git.corp:a/b.git", key, "git@git.corp:a/b.git", "b");
        stored("ssh://git.corp/a", key, "ssh://git@git.corp/a", "a");
        refused("git@git.corp:a/b.git", None, "url_scheme_refused");
        refused("git@git.corp:a/b.git", token, "url_scheme_refused");
        refused("https://git.corp/a", key, "url_scheme_refused");
        refused("http://git.corp/a", token, "url_scheme_refused");
        refused("https://evil.example/a", token, "credential_other_host");
        refused("https://git.corp:8443/a", token, "credential_other_host");
        refused("git@evil.example:a", key, "credential_other_host");
        refused("ssh://git.corp:2222/a", key, "credential_other_host");
        refused("ssh://-oProxyCommand=s3cret/a", key, "url_malformed");
        refused("-oProxyCommand=s3cret@git.corp:a", key, "url_malformed");
        refused("ssh://git:s3cret@git.corp/a", key, "url_malformed");
        refused("https://ada:s3cret@git.corp/a", token, "url_has_credentials");
        refused("file:///srv/a", key, "url_scheme_refused");
    }
}
