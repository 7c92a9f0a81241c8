//! Names of branches, tags and commits that the API takes.

const MAX_BYTES: usize = 250;

/// A name that git would not accept either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This is not the name of a branch or tag, nor a full commit id. Leave `ref` out for the default branch.")]
pub(crate) struct RefError;

/// Judges a name by git's own rules; empty means the remote's HEAD.
///
/// # Errors
/// If it breaks one of them.
pub(crate) fn check(text: &str) -> Result<&str, RefError> {
    let text = text.trim();
    let bad_character = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let refused = text.len() > MAX_BYTES
        || text.contains(bad_character)
        || text.contains("..")
        || text.contains("@{")
        || text == "@"
        || text.starts_with(['-', '/'])
        || text.ends_with(['/', '.'])
        || text.contains("//")
        || text.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"));
    if refused { Err(RefError) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn rules() {
        for good in ["", "main", " main ", "feature/x-1", "v1.2.3", "0123456789abcdef0123456789abcdef01234567"] {
            assert_eq!(check(good), Ok(good.trim()), "{good:?}");
        }
        let long = "a".repeat(251);
        for bad in
            ["-x", "/x", "x/", "x.", "a..b", "a b", "a\0b", "a:b", "a~1", "a^", "a?", "a*", "a[", "a\\b", "@", "a@{1}"]
        {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for bad in ["a//b", ".a", "a/.b", "a.lock", "a.lock/b", long.as_str()] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
