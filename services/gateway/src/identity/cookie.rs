//! Cookies: read from a request and written as a header.

use poem::Request;
use poem::http::header;

/// The cookies of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookies {
    /// Whether browsers reach us by TLS; the only exception is this machine itself.
    pub(crate) secure: bool,
}

impl Cookies {
    /// The session's. With this prefix a browser takes it only from this host, by TLS, for all paths.
    pub(crate) const fn session(self) -> &'static str {
        if self.secure { "__Host-cc" } else { "cc" }
    }

    /// That of a sign-in under way.
    pub(crate) const fn login(self) -> &'static str {
        if self.secure { "__Host-cc-login" } else { "cc-login" }
    }

    /// A header that sets one. `Lax`, because people come back from the provider, and by links.
    pub(crate) fn set(self, name: &str, value: &str, seconds: i64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax")
    }

    /// A header that removes one.
    pub(crate) fn clear(self, name: &str) -> String {
        self.set(name, "", 0)
    }
}

/// The value of a cookie. If a request brings two of a name, neither counts: one of them may be somebody else's.
pub(crate) fn value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let headers = request.headers().get_all(header::COOKIE).iter();
    let pairs = headers.filter_map(|header| header.to_str().ok()).flat_map(|header| header.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value.trim_matches('"')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use poem::Request;

    use super::{Cookies, value};

    #[test]
    fn values_are_found() {
        let request = |text: &str| Request::builder().header("cookie", text).finish();
        for (text, expected) in [
            ("cc=1", Some("1")),
            ("a=0; cc=1; b=2", Some("1")),
            ("cc=\"1\"", Some("1")),
            ("xcc=1", None),
            ("cc", None),
            ("", None),
            ("cc=1; cc=2", None),
        ] {
            assert_eq!(value(&request(text), "cc"), expected, "{text}");
        }
    }

    #[test]
    fn attributes() {
        let plain = Cookies { secure: false };
        assert_eq!(plain.set("cc", "v", 9), "cc=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax");
        let secure = Cookies { secure: true };
        assert_eq!(secure.clear(secure.session()), "__Host-cc=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    }
}
