//! Credentials as people hand them in: checked by their form, before they are sealed.

use caffeine_sealed::{Secret, SecretKind};
use url::Url;

const MAX_TOKEN: usize = 4_096;
const MAX_KEY: usize = 16 * 1024;
const MAX_CERTIFICATES: usize = 48 * 1024;

/// Why a credential is refused. The sentences never repeat what was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialError {
    #[error("Write the host as `host` or `host:port`, for instance `git.example.com:443`.")]
    Host,
    #[error("Give exactly one of `token` and `ssh_key`, or `authority` alone.")]
    Kind,
    #[error("An `ssh_key` has no `authority`: its `known_hosts` say who the host is.")]
    AuthorityOfKey,
    #[error("The user is empty or has a colon or control character. Use the one that the host names for tokens.")]
    User,
    #[error("The token is empty, longer than {MAX_TOKEN} bytes, or has a space or control character in it.")]
    Token,
    #[error("The private key is not one that `ssh-keygen` writes. Paste the whole file, `-----BEGIN` line included.")]
    Key,
    #[error("The private key has a passphrase, which nobody could type. Make a deploy key without one.")]
    Passphrase,
    #[error("`known_hosts` must have a line for the host, as `ssh-keyscan` prints it.")]
    KnownHosts,
    #[error("`authority` must be certificates as PEM, `-----BEGIN CERTIFICATE-----` lines included.")]
    Authority,
}

impl CredentialError {
    /// Where in the body the fault is.
    pub(crate) const fn pointer(self) -> &'static str {
        match self {
            Self::Host => "/host",
            Self::Kind => "",
            Self::User => "/token/user",
            Self::Token => "/token/token",
            Self::Key | Self::Passphrase => "/ssh_key/private_key",
            Self::KnownHosts => "/ssh_key/known_hosts",
            Self::Authority | Self::AuthorityOfKey => "/authority",
        }
    }
}

/// What was handed in.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) token: Option<(String, String)>,
    /// The private key and the `known_hosts` lines.
    pub(crate) ssh_key: Option<(String, String)>,
    pub(crate) authority: Option<String>,
}

/// Checks a credential by its form.
///
/// # Errors
/// See [`CredentialError`].
pub(crate) fn secret(given: Given) -> Result<Secret, CredentialError> {
    let authority = given.authority.map(certificates).transpose()?;
    match (given.token, given.ssh_key, authority) {
        (Some((user, token)), None, authority) => {
            if user.is_empty() || user.len() > 200 || user.contains(':') || user.chars().any(char::is_control) {
                return Err(CredentialError::User);
            }
            let token = token.trim().to_owned();
            if token.is_empty() || token.len() > MAX_TOKEN || token.chars().any(|c| c.is_control() || c == ' ') {
                return Err(CredentialError::Token);
            }
            Ok(Secret::Token { user, token, authority: authority.unwrap_or_default() })
        }
        (None, Some(_), Some(_)) => Err(CredentialError::AuthorityOfKey),
        (None, Some((private_key, known_hosts)), None) => {
            Ok(Secret::SshKey { private_key: key(&private_key)?, known_hosts: hosts(&known_hosts)? })
        }
        (None, None, Some(certificates)) => Ok(Secret::Authority { certificates }),
        _ => Err(CredentialError::Kind),
    }
}

/// The host and port that a credential is for, in the form in which addresses are compared.
///
/// # Errors
/// If it is no host.
pub(crate) fn host(text: &str, kind: SecretKind) -> Result<String, CredentialError> {
    let text = text.trim();
    // Something behind the host would be cut off in silence.
    if text.is_empty() || text.contains(['/', '@', '?', '#', '\\']) {
        return Err(CredentialError::Host);
    }
    let url = Url::parse(&format!("https://{text}/")).map_err(|_| CredentialError::Host)?;
    let default = if kind == SecretKind::SshKey { 22 } else { 443 };
    let port = match (url.port(), text.ends_with(":443")) {
        (Some(port), _) => port,
        // The parser drops the port of the scheme.
        (None, true) => 443,
        (None, false) => default,
    };
    match url.host_str() {
        Some(host) if !host.starts_with('-') && port > 0 => Ok(format!("{host}:{port}")),
        _ => Err(CredentialError::Host),
    }
}

fn key(text: &str) -> Result<String, CredentialError> {
    let text = text.trim().replace("\r\n", "\n");
    let is_pem = text.starts_with("-----BEGIN ")
        && text.lines().next().is_some_and(|line| line.ends_with(" PRIVATE KEY-----"))
        && text.lines().last().is_some_and(|line| line.starts_with("-----END "));
    if !is_pem || text.len() > MAX_KEY || text.contains('\0') {
        return Err(CredentialError::Key);
    }
    // Older forms say it in clear text; in the newer one the name of the cipher stands at a fixed place.
    let newer = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU";
    if text.contains("ENCRYPTED") || (text.starts_with("-----BEGIN OPENSSH") && !text.starts_with(newer)) {
        return Err(CredentialError::Passphrase);
    }
    Ok(text + "\n")
}

fn hosts(text: &str) -> Result<String, CredentialError> {
    let text = text.trim().replace("\r\n", "\n");
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let well_formed = lines().all(|line| line.split_whitespace().count() >= 3);
    if text.len() > MAX_KEY || lines().next().is_none() || !well_formed || text.contains('\0') {
        return Err(CredentialError::KnownHosts);
    }
    Ok(text + "\n")
}

fn certificates(text: String) -> Result<String, CredentialError> {
    let begins = text.matches("-----BEGIN CERTIFICATE-----").count();
    let ends = text.matches("-----END CERTIFICATE-----").count();
    if text.len() > MAX_CERTIFICATES || begins == 0 || begins != ends || text.contains("PRIVATE KEY") {
        return Err(CredentialError::Authority);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n-----END OPENSSH PRIVATE KEY-----";
    const CA: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    fn refused(given: Given, error: CredentialError) {
        assert_eq!(secret(given), Err(error));
        assert!(!error.to_string().contains("s3cret"));
    }

    fn token(user: &str, token: &str) -> Given {
        Given { token: Some((user.to_owned(), token.to_owned())), ..Given::default() }
    }

    fn ssh(key: &str, hosts: &str) -> Given {
        Given { ssh_key: Some((key.to_owned(), hosts.to_owned())), ..Given::default() }
    }

    #[test]
    fn kinds() {
        assert_eq!(secret(token("ada", " s3cret\n")).unwrap().kind(), SecretKind::Token);
        assert_eq!(secret(ssh(KEY, "h ssh-ed25519 AAAA")).unwrap().kind(), SecretKind::SshKey);
        let authority = Given { authority: Some(CA.to_owned()), ..Given::default() };
        assert_eq!(secret(authority).unwrap().kind(), SecretKind::Authority);
        refused(Given::default(), CredentialError::Kind);
        refused(Given { ssh_key: ssh(KEY, "h k v").ssh_key, ..token("a", "b") }, CredentialError::Kind);
        refused(Given { authority: Some(CA.to_owned()), ..ssh(KEY, "h k v") }, CredentialError::AuthorityOfKey);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        refused(token("a:b", "s3cret"), CredentialError::User);
        refused(token("", "s3cret"), CredentialError::User);
        refused(token("a", ""), CredentialError::Token);
        refused(token("a", "s3cret\nx"), CredentialError::Token);
        refused(ssh("s3cret", "h k v"), CredentialError::Key);
        refused(
            ssh(&KEY.replace("bm9uZQ", "YWVz").replace("ABG5vbmU", "ACmFlcz"), "h k v"),
            CredentialError::Passphrase,
        );
        refused(
            ssh("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----", "h k v"),
            CredentialError::Passphrase,
        );
        refused(ssh(KEY, ""), CredentialError::KnownHosts);
        refused(ssh(KEY, "# only a comment"), CredentialError::KnownHosts);
        refused(ssh(KEY, "host"), CredentialError::KnownHosts);
        for text in ["", "s3cret", "-----BEGIN CERTIFICATE-----", &format!("{CA}{KEY}")] {
            refused(Given { authority: Some(text.to_owned()), ..Given::default() }, CredentialError::Authority);
        }
    }

    #[test]
    fn hosts_have_one_form() {
        for (text, kind, expected) in [
            ("Git.Corp", SecretKind::Token, "git.corp:443"),
            ("git.corp:443", SecretKind::Token, "git.corp:443"),
            ("git.corp:8443", SecretKind::Authority, "git.corp:8443"),
            ("git.corp", SecretKind::SshKey, "git.corp:22"),
            ("git.corp:443", SecretKind::SshKey, "git.corp:443"),
            ("[::1]:2222", SecretKind::SshKey, "[::1]:2222"),
        ] {
            assert_eq!(host(text, kind).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "https://git.corp", "git.corp/a", "a@git.corp", "git.corp:x", "-o", "a b", "git.corp?"] {
            assert_eq!(host(text, SecretKind::Token), Err(CredentialError::Host), "{text}");
        }
    }
}
