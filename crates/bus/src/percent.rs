//! Percent-encoding, for header values made of foreign text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but letters, digits and `-_./~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'~');

/// Everything but letters, digits and `-_./~` becomes `%XX`.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The reverse; what is no escape stays, what is no UTF-8 is replaced.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn round_trip() {
        for text in ["", "7", "a/b-c", "a b%c", "\r\nX: y", "ä€😀", "%zz"] {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
            assert_eq!(decode(&encoded), text);
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for (text, plain) in [("%", "%"), ("%4", "%4"), ("%+1", "%+1"), ("%FF", "\u{fffd}")] {
            assert_eq!(decode(text), plain);
        }
    }
}
