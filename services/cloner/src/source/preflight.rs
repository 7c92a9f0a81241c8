//! The first look at an address: does git answer there, and where do redirects lead?
//!
//! Git's own client would follow redirects without asking; here every hop is checked before anything is sent to it.

use std::error::Error as _;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use url::Url;

use super::network::PrivateAddress;
use super::{Address, HostPort, Route};
use crate::CloneError;

/// Redirects that are followed; hosts use one or two (http to https, `name` to `name.git`).
const MAX_HOPS: usize = 3;
/// What a git client asks first.
const QUESTION: &str = "/info/refs?service=git-upload-pack";
/// How a git server answers.
const ANSWER: &str = "application/x-git-upload-pack-advertisement";
/// As much of the answer as is read to find the name of the default branch: it stands in the first line.
const HEAD_BYTES: usize = 16 * 1024;

/// A git server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The address after all redirects.
    pub address: Address,
    /// The full name of the default branch, if it was asked for and is told.
    pub default_ref: Option<String>,
}

/// Follows redirects to the address where git answers. `ask_default` also asks for the default branch.
///
/// # Errors
/// A sentence that says what is wrong with the address and what to do.
pub async fn look(route: &Route, address: &Address, ask_default: bool) -> Result<Answer, CloneError> {
    let mut base = address.clone();
    for _ in 0..=MAX_HOPS {
        let question = format!("{}{QUESTION}", base.url().as_str().trim_end_matches('/'));
        let mut request = route.client(base.url())?.get(&question);
        let login = route.credential().and_then(|credential| credential.login(base.url()));
        if let Some(login) = login {
            request = request.basic_auth(login.user, Some(login.token));
        }
        if !ask_default {
            // The second version of the protocol answers briefly; the first one names the default branch at once.
            request = request.header("Git-Protocol", "version=2");
        }
        let response = request.send().await.map_err(|error| not_reached(base.url(), &error))?;
        let status = response.status();
        if !status.is_redirection() {
            check_status(base.url(), status, login.is_some())?;
            let answers = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == ANSWER.as_bytes());
            if !answers {
                return Err(not_git(base.url()));
            }
            let default_ref = if ask_default { default_ref(response).await } else { None };
            return Ok(Answer { address: base, default_ref });
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        base = next_hop(&question, base.url(), location)?;
    }
    Err(CloneError::refused(
        "too_many_redirects",
        format!("{address} redirects more than {MAX_HOPS} times: use the address it leads to"),
    ))
}

/// Checks where a redirect leads.
fn next_hop(question: &str, base: &Url, location: &str) -> Result<Address, CloneError> {
    let target = Url::parse(question)
        .and_then(|question| question.join(location))
        .map_err(|_| CloneError::refused("bad_redirect", format!("{base} redirects to a malformed address")))?;
    // A redirect that drops the question leads to a login page or to the web site, not to a repository.
    let Some(repository) = target.as_str().strip_suffix(QUESTION) else { return Err(not_git(base)) };
    let next = Address::check(Url::parse(repository).map_err(|_| not_git(base))?)?;
    if base.scheme() == "https" && next.url().scheme() != "https" {
        return Err(CloneError::refused(
            "bad_redirect",
            format!("{base} redirects from https to an unprotected address, which is not followed"),
        ));
    }
    Ok(next)
}

fn check_status(url: &Url, status: StatusCode, signed_in: bool) -> Result<(), CloneError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if signed_in => Err(not_accepted(url)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(CloneError::refused(
            "needs_credentials",
            format!(
                "{url} does not exist or needs credentials: check the address, or use one that can be read without"
            ),
        )),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(CloneError::refused(
            "not_found",
            format!("There is no repository at {url}: check the address for a typing error"),
        )),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(CloneError::unreachable(format!("{url} asks to come back later (status {})", status.as_u16())))
        }
        status if status.is_server_error() => {
            Err(CloneError::unreachable(format!("The host of {url} has a problem (status {})", status.as_u16())))
        }
        _ => Err(not_git(url)),
    }
}

/// The sentence for a credential that the host does not want.
pub(crate) fn not_accepted(address: &dyn std::fmt::Display) -> CloneError {
    CloneError::refused(
        "credentials_refused",
        format!(
            "{address} does not exist or does not accept the stored credential: check the address, and replace the \
             credential if it has expired"
        ),
    )
}

fn not_git(url: &Url) -> CloneError {
    CloneError::refused(
        "not_git",
        format!("{url} answers, but is not a git repository: use the address that `git clone` takes"),
    )
}

fn not_reached(url: &Url, error: &reqwest::Error) -> CloneError {
    let host = url.host_str().unwrap_or_default();
    let mut deepest = None;
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<PrivateAddress>() {
            return super::network::private(&HostPort::of(url));
        }
        deepest = Some(cause);
        source = cause.source();
    }
    let what = match deepest {
        _ if error.is_timeout() => "no answer in time".to_owned(),
        Some(cause) => cause.to_string(),
        None => "no connection".to_owned(),
    };
    CloneError::unreachable(format!(
        "The host {host} cannot be reached ({what}): check the address, or try again when the host is up"
    ))
}

/// Reads `symref=HEAD:<name>` from the first line of a first-version answer.
async fn default_ref(mut response: reqwest::Response) -> Option<String> {
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => head.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    symref_of_head(&head)
}

fn symref_of_head(answer: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"symref=HEAD:";
    let start = answer.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let name = answer.get(start..)?.split(|byte| byte.is_ascii_whitespace() || *byte == 0).next()?;
    let name = std::str::from_utf8(name).ok()?;
    (name.starts_with("refs/") && name.len() <= 256).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{QUESTION, next_hop, symref_of_head};
    use url::Url;

    fn check(base: &str, location: &str, expected: Result<&str, &str>) {
        let url = Url::parse(base).unwrap();
        let question = format!("{base}{QUESTION}");
        match (next_hop(&question, &url, location), expected) {
            (Ok(next), Ok(expected)) => assert_eq!(next.to_string(), expected),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (got, _) => panic!("{location}: {got:?}"),
        }
    }

    #[test]
    fn hops() {
        let tail = QUESTION;
        check("http://h/a", &format!("https://h/a.git{tail}"), Ok("https://h/a.git"));
        check("https://h/a", &format!("/b/a.git{tail}"), Ok("https://h/b/a.git"));
        check("https://h/a", &format!("http://h/a{tail}"), Err("unprotected"));
        check("https://h/a", "https://h/login", Err("not a git repository"));
        check("https://h/a", &format!("file:///etc{tail}"), Err("not cloned"));
        check("https://h/a", &format!("https://user:pw@h/a{tail}"), Err("user name"));
        check("https://h/a", "", Ok("https://h/a"));
        check("https://h/a", "https://[", Err("malformed"));
    }

    #[test]
    fn default_branch() {
        let line =
            b"001e# service=git-upload-pack\n00000155abc HEAD\0multi_ack symref=HEAD:refs/heads/trunk agent=git\n";
        assert_eq!(symref_of_head(line), Some("refs/heads/trunk".to_owned()));
        assert_eq!(symref_of_head(b"symref=HEAD:evil"), None);
        assert_eq!(symref_of_head(b"symref=HEAD:refs/heads/\xff"), None);
        assert_eq!(symref_of_head(b""), None);
    }
}
