//! A sign-in under way. All that is known of it is in a signed cookie of the browser that began it: a stranger's
//! code cannot be brought to an end in another browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the cookie's text is.
pub(crate) const KIND: &str = "login+jwt";
/// How long a person may take at the provider, in seconds.
const SECONDS: i64 = 600;

/// A sign-in under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// Comes back with the code.
    pub(crate) state: String,
    /// Comes back in the token.
    pub(crate) nonce: String,
    /// What the code can only be redeemed with (RFC 7636).
    pub(crate) verifier: String,
    /// Where the person wanted to go.
    pub(crate) to: String,
    /// Until when, in seconds.
    exp: i64,
}

impl Login {
    /// How long the cookie lives, in seconds.
    pub(crate) const SECONDS: i64 = SECONDS;

    /// Begins one.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub(crate) fn begin(to: &str, now: i64) -> Result<Self, getrandom::Error> {
        Ok(Self { state: random()?, nonce: random()?, verifier: random()?, to: to.to_owned(), exp: now + SECONDS })
    }

    /// What the provider is told of the verifier.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// Whether an answer of the provider belongs to it, in time.
    pub(crate) fn is_answered_by(&self, state: &str, now: i64) -> bool {
        self.state == state && now < self.exp
    }
}

fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Where a person may be sent after signing in: a path of ours, or the front page.
pub(crate) fn return_path(wanted: Option<&str>) -> &str {
    let is_path = |path: &&str| {
        path.starts_with('/')
            && path.len() <= 2_000
            // A browser reads `//host` and `/\host` as another host.
            && !path[1..].starts_with(['/', '\\'])
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    wanted.filter(is_path).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::{Login, return_path};

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (wanted, expected) in [
            (Some("/repositories/7?tab=runs#top"), "/repositories/7?tab=runs#top"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/a\r\nSet-Cookie: x"), "/"),
            (Some(""), "/"),
            (None, "/"),
        ] {
            assert_eq!(return_path(wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn the_challenge_is_the_standards() {
        // RFC 7636, appendix B.
        let login = Login {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            ..Login::begin("/", 1_000).unwrap()
        };
        assert_eq!(login.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn answers_belong_to_their_question() {
        let login = Login::begin("/", 1_000).unwrap();
        assert!(login.is_answered_by(&login.state, 1_599));
        assert!(!login.is_answered_by(&login.state, 1_600));
        assert!(!login.is_answered_by("other", 1_000));
        assert_ne!(login.state, login.nonce);
    }
}
