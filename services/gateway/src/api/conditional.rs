//! Answers that a client has already: `ETag` and `If-None-Match`.

use poem_openapi::types::ToJSON;
use sha2::{Digest as _, Sha256};

/// Kept by the browser of whoever was allowed to read it, and asked for anew each time.
pub(crate) const REVALIDATE: &str = "private, no-cache";

/// The tag of an answer: equal answers have equal tags.
pub(crate) fn etag(answer: &impl ToJSON) -> String {
    let hash = Sha256::digest(answer.to_json_string());
    format!("\"{}\"", hex::encode(&hash[..16]))
}

/// Whether `If-None-Match` names this tag. A client may have weakened it.
pub(crate) fn is_known(if_none_match: Option<&str>, etag: &str) -> bool {
    let Some(text) = if_none_match else { return false };
    text.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn tags_are_compared_weakly() {
        for (header, expected) in [
            (None, false),
            (Some(""), false),
            (Some("\"a\""), true),
            (Some("W/\"a\""), true),
            (Some("\"b\", \"a\""), true),
            (Some("\"b\""), false),
            (Some("a"), false),
            (Some("*"), true),
        ] {
            assert_eq!(is_known(header, "\"a\""), expected, "{header:?}");
        }
    }
}
