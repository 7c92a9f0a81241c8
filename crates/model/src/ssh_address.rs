//! The address of a repository over ssh.
//!
//! Whatever is in here ends as an argument of the `ssh` program, so nothing may look like an option, reach a shell or
//! end a line.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

const SCHEMES: [&str; 3] = ["ssh://", "git+ssh://", "ssh+git://"];
const DEFAULT_PORT: u16 = 22;
/// What git hosts have everybody sign in as.
const DEFAULT_USER: &str = "git";
const MAX_BYTES: usize = 2_000;

/// Why a text is no address over ssh. No message repeats the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SshAddressError {
    /// Neither `ssh://…` nor `user@host:path`.
    #[error("the address is not of the form ssh://git@host/path or git@host:path")]
    Form,
    /// A password in the address.
    #[error("the address has a password in it: remove it, addresses are stored and shown")]
    Password,
    /// Something that ssh could take for an option.
    #[error("the user, host or path begins with `-`: check the address for a typing error")]
    Option,
    /// A character that has no place there.
    #[error("the address has a character that ssh addresses cannot have: check it for a typing error")]
    Character,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the address is not a number from 1 to 65535")]
    Port,
}

/// `ssh://user@host:port/path` or `user@host:path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    user: String,
    /// Lower case; an IPv6 number without brackets.
    host: String,
    port: u16,
    /// As the host's git gets it.
    path: String,
}

impl SshAddress {
    /// Whether a text means ssh, well written or not.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let lower = text.trim().to_ascii_lowercase();
        if SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) {
            return true;
        }
        // As git does: a colon before the first slash. Not a remote helper (`ext::`), not a drive letter.
        let Some((before, after)) = lower.split_once(':') else { return false };
        let is_helper = after.starts_with(':') && !before.ends_with('[');
        !before.contains('/') && before.len() > 1 && !is_helper && !after.starts_with("//")
    }

    /// Reads an address.
    ///
    /// # Errors
    /// See [`SshAddressError`].
    pub fn parse(text: &str) -> Result<Self, SshAddressError> {
        let text = text.trim();
        if text.len() > MAX_BYTES || !Self::is_meant(text) {
            return Err(SshAddressError::Form);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(SshAddressError::Character);
        }
        let scheme =
            SCHEMES.iter().find(|scheme| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)));
        let (authority, port, path) = match scheme {
            Some(scheme) => {
                let rest = &text[scheme.len()..];
                let (authority, path) = rest.split_at(rest.find('/').ok_or(SshAddressError::Form)?);
                let (authority, port) = split_port(authority)?;
                // `/~ada/repo` is below somebody's home.
                (authority, port, if path.starts_with("/~") { &path[1..] } else { path })
            }
            None => {
                // The number of an IPv6 host has colons of its own.
                let colon = match text.find("]:") {
                    Some(bracket) => bracket + 1,
                    None => text.find(':').ok_or(SshAddressError::Form)?,
                };
                (&text[..colon], DEFAULT_PORT, &text[colon + 1..])
            }
        };
        let (user, host) = authority.rsplit_once('@').unwrap_or((DEFAULT_USER, authority));
        if user.contains(':') {
            return Err(SshAddressError::Password);
        }
        if [user, host, path].iter().any(|part| part.starts_with('-')) {
            return Err(SshAddressError::Option);
        }
        if user.is_empty() || host.is_empty() || path.is_empty() || path == "/" {
            return Err(SshAddressError::Form);
        }
        if !user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) || path.contains(['?', '#']) {
            return Err(SshAddressError::Character);
        }
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { user: user.to_owned(), host: checked_host(host)?, port, path })
    }

    /// Whom to sign in as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The host's name or number; an IPv6 number without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The repository's path on the host.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `host:port`, an IPv6 number in brackets.
    #[must_use]
    pub fn host_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// One way to write it, in which addresses are stored and compared.
impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == DEFAULT_PORT { String::new() } else { format!(":{}", self.port) };
        let Self { user, path, .. } = self;
        if path.starts_with('/') {
            write!(f, "ssh://{user}@{host}{port}{path}")
        } else if path.starts_with('~') {
            write!(f, "ssh://{user}@{host}{port}/{path}")
        } else {
            // Below the home of the user; only this form can say that.
            write!(f, "{user}@{host}:{path}")
        }
    }
}

fn split_port(authority: &str) -> Result<(&str, u16), SshAddressError> {
    let after_number = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let after_user = authority.rfind('@').map_or(0, |at| at + 1);
    let from = after_number.max(after_user);
    match authority[from..].find(':') {
        None => Ok((authority, DEFAULT_PORT)),
        Some(colon) => match authority[from + colon + 1..].parse() {
            Ok(port) if port > 0 => Ok((&authority[..from + colon], port)),
            _ => Err(SshAddressError::Port),
        },
    }
}

fn checked_host(host: &str) -> Result<String, SshAddressError> {
    if let Some(number) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let ip: Ipv6Addr = number.parse().map_err(|_| SshAddressError::Character)?;
        return Ok(ip.to_string());
    }
    let host = host.to_ascii_lowercase();
    let is_name = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        && host.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    if !is_name {
        return Err(SshAddressError::Character);
    }
    // Other spellings of a number (`127.1`, `0x7f000001`) would be resolved behind the back of the check.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.chars().all(|c| c.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err(SshAddressError::Character);
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::{SshAddress, SshAddressError};

    fn check(text: &str, user: &str, host: &str, port: u16, path: &str, written: &str) {
        let address = SshAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            (address.user(), address.host(), address.port(), address.path()),
            (user, host, port, path),
            "{text}"
        );
        assert_eq!(address.to_string(), written, "{text}");
        assert_eq!(SshAddress::parse(written), Ok(address), "{text} again");
    }

    #[test]
    fn both_forms() {
        check("git@Host.Corp:a/b.git", "git", "host.corp", 22, "a/b.git", "git@host.corp:a/b.git");
        check("host:a", "git", "host", 22, "a", "git@host:a");
        check("git@host:/srv/a.git", "git", "host", 22, "/srv/a.git", "ssh://git@host/srv/a.git");
        check("ssh://host/a/", "git", "host", 22, "/a", "ssh://git@host/a");
        check("SSH://ada@host:2222/a", "ada", "host", 2222, "/a", "ssh://ada@host:2222/a");
        check("git+ssh://host:22/~ada/a", "git", "host", 22, "~ada/a", "ssh://git@host/~ada/a");
        check("ssh://git@[::1]:2222/a", "git", "::1", 2222, "/a", "ssh://git@[::1]:2222/a");
        check("git@[::1]:a", "git", "::1", 22, "a", "git@[::1]:a");
        check("ssh://127.0.0.1:22/it's", "git", "127.0.0.1", 22, "/it's", "ssh://git@127.0.0.1/it's");
    }

    #[test]
    fn refused() {
        use SshAddressError::{Character, Form, Option, Password, Port};
        for (text, error) in [
            ("ssh://-oProxyCommand=x/a", Option),
            ("ssh://git@-oProxyCommand=x/a", Option),
            ("-oProxyCommand=x@host:a", Option),
            ("git@-oProxyCommand=x:a", Option),
            ("ssh://-l@host/a", Option),
            ("git@host:-a", Option),
            ("host:--upload-pack=x", Option),
            ("ssh://git@host", Form),
            ("ssh://git@host/", Form),
            ("ssh://@host/a", Form),
            ("ssh:///a", Form),
            ("git@host:", Form),
            ("https://host/a", Form),
            ("host/a:b", Form),
            ("ext::sh", Form),
            ("C:\\a", Form),
            ("", Form),
            ("ssh://git:s3cret@host/a", Password),
            ("ssh://host:0/a", Port),
            ("ssh://host:65536/a", Port),
            ("ssh://host:ssh/a", Port),
            ("ssh://git@ho st/a", Character),
            ("ssh://git@host/a\nb", Character),
            ("ssh://git@host/a\0b", Character),
            ("ssh://g$(id)@host/a", Character),
            ("ssh://git@h;id/a", Character),
            ("ssh://git@%68ost/a", Character),
            ("ssh://git@a..b/a", Character),
            ("ssh://git@a.-b/a", Character),
            ("ssh://git@127.1/a", Character),
            ("ssh://git@2130706433/a", Character),
            ("ssh://git@0x7f000001/a", Character),
            ("ssh://git@[::1/a", Port),
            ("ssh://git@host/a?b", Character),
        ] {
            let refused = SshAddress::parse(text);
            assert_eq!(refused, Err(error), "{text:?}");
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
