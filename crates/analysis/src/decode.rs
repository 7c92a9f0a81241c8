//! From bytes to text: byte order marks, UTF-8, and a guess for everything else.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use crate::SkipReason;

/// What git's tools and everybody else's look at to call a file binary.
const SNIFF_BYTES: usize = 8 * 1024;

pub(crate) struct Decoded {
    pub(crate) encoding: &'static str,
    pub(crate) text: String,
}

/// Decodes the bytes, or says why that makes no sense.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, SkipReason> {
    let (encoding, text) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, by_bom(encoding, bytes.get(length..).unwrap_or_default())?),
        None => without_bom(bytes)?,
    };
    // No store of text takes NUL, and no text needs it.
    if text.as_bytes().contains(&0) {
        return Err(SkipReason::Binary);
    }
    Ok(Decoded { encoding: name(encoding), text: text.into_owned() })
}

fn by_bom<'bytes>(encoding: &'static Encoding, rest: &'bytes [u8]) -> Result<Cow<'bytes, str>, SkipReason> {
    let (text, had_errors) = encoding.decode_without_bom_handling(rest);
    if had_errors { Err(SkipReason::InvalidEncoding) } else { Ok(text) }
}

fn without_bom(bytes: &[u8]) -> Result<(&'static Encoding, Cow<'_, str>), SkipReason> {
    if bytes.iter().take(SNIFF_BYTES).any(|byte| *byte == 0) {
        return Err(SkipReason::Binary);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok((UTF_8, Cow::Borrowed(text)));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    match guess.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) if looks_like_text(&text) => Ok((guess, text)),
        Some(_) => Err(SkipReason::Binary),
        None => Err(SkipReason::InvalidEncoding),
    }
}

/// A single-byte encoding decodes anything; control characters give away what was never text.
fn looks_like_text(text: &str) -> bool {
    let mut control = 0_usize;
    let mut total = 0_usize;
    for character in text.chars() {
        total += 1;
        if character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}') {
            control += 1;
        }
    }
    control * 50 <= total
}

fn name(encoding: &'static Encoding) -> &'static str {
    match encoding.name() {
        "UTF-8" => "utf-8",
        "UTF-16LE" => "utf-16le",
        "UTF-16BE" => "utf-16be",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::SkipReason;

    fn check(bytes: &[u8], expected: Result<(&str, &str), SkipReason>) {
        let decoded = decode(bytes);
        let actual =
            decoded.as_ref().map(|decoded| (decoded.encoding, decoded.text.as_str())).map_err(|reason| *reason);
        assert_eq!(actual, expected, "{bytes:?}");
    }

    #[test]
    fn text_in_any_encoding_becomes_utf_8() {
        check(b"a\r\nb", Ok(("utf-8", "a\r\nb")));
        check(b"\xef\xbb\xbfa", Ok(("utf-8", "a")));
        check(b"\xff\xfea\0b\0", Ok(("utf-16le", "ab")));
        check(b"\xfe\xff\0a\0b", Ok(("utf-16be", "ab")));
        check("Größe und Übermut, schöne Straße".as_bytes(), Ok(("utf-8", "Größe und Übermut, schöne Straße")));
        check(b"Gr\xf6\xdfe und \xdcbermut", Ok(("windows-1252", "Größe und Übermut")));
    }

    #[test]
    fn what_is_not_text_is_named() {
        check(b"\x7fELF\0\0", Err(SkipReason::Binary));
        check(b"\xff\xfea\0\0\0", Err(SkipReason::Binary));
        let mut late = vec![b'a'; 10_000];
        late.push(0);
        check(&late, Err(SkipReason::Binary));
        check(b"\xff\xfe\x00\xd8", Err(SkipReason::InvalidEncoding));
        check(&[0x89, b'P', 1, 2, 3, 4, 5, 6, 7, 0xff, 0xfe, 0x90, 14, 15, 16], Err(SkipReason::Binary));
    }
}
