//! The addresses of repositories that the API takes.
//!
//! Only the form is judged here. Where a name leads is judged by the cloner, at the moment it connects.

use url::Url;

/// The longest address in bytes.
const MAX_BYTES: usize = 2_000;

/// Why an address is refused. The text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("The address is empty. Give the https:// address of a git repository.")]
    Empty,
    #[error("The address is longer than {MAX_BYTES} bytes. Give the https:// address of a git repository.")]
    TooLong,
    #[error("The address has a space or a control character. Remove it, or write it percent-encoded.")]
    Character,
    #[error("Remote helpers (`ext::`, `fd::` …) are not run. Give the https:// address of the repository.")]
    Helper,
    #[error("Files of this machine are not read through the API. Give the https:// address of the repository.")]
    Local,
    #[error(
        "SSH is read with a credential of the kind `ssh_key` only. Give the https:// address of the repository, or name such a credential."
    )]
    Ssh,
    #[error("The git protocol is neither encrypted nor signed. Give the https:// address of the repository.")]
    GitProtocol,
    #[error("Only https:// and http:// addresses are read. Give the https:// address of the repository.")]
    Scheme,
    #[error("The address holds a user name or password. Remove it: addresses are stored and shown in clear text.")]
    Credentials,
    #[error("The address has a query or a fragment. Remove everything from the `?` or `#` on.")]
    Decoration,
    #[error("This is not an address. Write it like https://host/owner/repository.git.")]
    Malformed,
}

impl UrlError {
    /// A stable word.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Credentials => "url_has_credentials",
            Self::Helper | Self::Local | Self::Ssh | Self::GitProtocol | Self::Scheme => "url_scheme_refused",
            _ => "url_malformed",
        }
    }
}

/// Judges an address and returns it in the form in which it is stored and compared.
///
/// # Errors
/// See [`UrlError`].
pub(crate) fn check(text: &str) -> Result<Url, UrlError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UrlError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(UrlError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(UrlError::Character);
    }
    if text.starts_with(['/', '.', '~', '\\']) {
        return Err(UrlError::Local);
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(UrlError::Malformed);
    };
    if rest.starts_with(':') {
        return Err(UrlError::Helper);
    }
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "http" => {}
        "file" => return Err(UrlError::Local),
        "ssh" | "git+ssh" | "ssh+git" => return Err(UrlError::Ssh),
        "git" => return Err(UrlError::GitProtocol),
        // `git@host:path`, and drive letters.
        short if short.contains('@') => return Err(UrlError::Ssh),
        short if short.len() == 1 => return Err(UrlError::Local),
        _ if rest.starts_with("//") => return Err(UrlError::Scheme),
        // `host:path` is ssh to git.
        _ => return Err(UrlError::Ssh),
    }
    // The parser would read `https:host` and back slashes as if they were well written.
    if !rest.starts_with("//") || text.contains('\\') {
        return Err(UrlError::Malformed);
    }
    let mut url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
    if !url.username().is_empty() || url.password().is_some() || authority(rest).contains('@') {
        return Err(UrlError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Decoration);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::Malformed);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    if url.as_str().len() > MAX_BYTES {
        return Err(UrlError::TooLong);
    }
    Ok(url)
}

/// What stands between `//` and the path.
fn authority(rest: &str) -> &str {
    let rest = rest.trim_start_matches('/');
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// A name for a repository that was added without one: the last part of its address.
pub(crate) fn default_name(url: &Url) -> String {
    let last = url.path().rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    let name = last.strip_suffix(".git").unwrap_or(last);
    let name = if name.is_empty() { url.host_str().unwrap_or("repository") } else { name };
    name.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::{UrlError, check, default_name};

    #[test]
    fn accepted() {
        for (text, stored, name) in [
            ("https://git.example/owner/thing.git", "https://git.example/owner/thing.git", "thing"),
            (" HTTPS://GIT.Example:443/owner/thing/ ", "https://git.example/owner/thing", "thing"),
            ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a", "a"),
            ("https://git.example", "https://git.example/", "git.example"),
            ("https://git.example/.git", "https://git.example/.git", "git.example"),
        ] {
            let url = check(text).unwrap();
            assert_eq!(url.as_str(), stored);
            assert_eq!(default_name(&url), name);
        }
    }

    #[test]
    fn refused() {
        let long = format!("https://git.example/{}", "a".repeat(2_000));
        let unicode = format!("https://git.example/{}", "ä".repeat(600));
        for (text, error) in [
            ("", UrlError::Empty),
            ("   ", UrlError::Empty),
            (long.as_str(), UrlError::TooLong),
            (unicode.as_str(), UrlError::TooLong),
            ("https://git.example/a b", UrlError::Character),
            ("https://git.example/a\nb", UrlError::Character),
            ("https://git.example/a\0b", UrlError::Character),
            ("ext::sh -c id", UrlError::Character),
            ("ext::sh", UrlError::Helper),
            ("fd::17", UrlError::Helper),
            ("https::https://git.example/a", UrlError::Helper),
            ("/srv/git/a", UrlError::Local),
            ("./a", UrlError::Local),
            ("../a", UrlError::Local),
            ("~/a", UrlError::Local),
            ("C:\\a", UrlError::Local),
            ("\\\\host\\a", UrlError::Local),
            ("file:///srv/git/a", UrlError::Local),
            ("FILE:/srv/git/a", UrlError::Local),
            ("ssh://git@host/a", UrlError::Ssh),
            ("git+ssh://host/a", UrlError::Ssh),
            ("git@host:a/b.git", UrlError::Ssh),
            ("host:a/b.git", UrlError::Ssh),
            ("git://host/a", UrlError::GitProtocol),
            ("ftp://host/a", UrlError::Scheme),
            ("javascript://host/a", UrlError::Scheme),
            ("https://user@host/a", UrlError::Credentials),
            ("https://user:secret@host/a", UrlError::Credentials),
            ("https://:secret@host/a", UrlError::Credentials),
            ("https://@host/a", UrlError::Credentials),
            ("https://host/a?token=1", UrlError::Decoration),
            ("https://host/a#b", UrlError::Decoration),
            ("https:host/a", UrlError::Malformed),
            ("https:\\\\host\\a", UrlError::Malformed),
            ("https://", UrlError::Malformed),
            ("https://[::1/a", UrlError::Malformed),
            ("repository", UrlError::Malformed),
        ] {
            assert_eq!(check(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn sentences_say_what_to_do() {
        for error in [UrlError::Local, UrlError::Ssh, UrlError::Helper, UrlError::Scheme, UrlError::GitProtocol] {
            assert!(error.to_string().contains("Give the https:// address"), "{error}");
        }
        assert!(UrlError::Credentials.to_string().contains("Remove it"));
    }
}
