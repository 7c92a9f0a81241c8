//! Which files are not worth looking into.

use crate::{Language, SkipReason};

/// The mean line length, in bytes, above which a web asset counts as minified.
const MINIFIED_MEAN: usize = 300;

/// The line length, in bytes, above which a web asset counts as minified if that line is most of the file: a long
/// line of data in a file that is otherwise written by hand is none.
const MINIFIED_LINE: usize = 5_000;

const LFS_HEAD: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// Reasons that the bytes alone give.
pub(crate) fn before_decoding(bytes: &[u8]) -> Option<SkipReason> {
    if bytes.is_empty() {
        return Some(SkipReason::Empty);
    }
    if bytes.starts_with(LFS_HEAD) {
        return Some(SkipReason::LfsPointer);
    }
    (bytes.len() > crate::MAX_PARSE_BYTES).then_some(SkipReason::TooLarge)
}

/// Reasons that need the text.
pub(crate) fn after_decoding(language: Language, text: &str) -> Option<SkipReason> {
    if text.trim().is_empty() {
        return Some(SkipReason::Empty);
    }
    is_minified(language, text).then_some(SkipReason::Minified)
}

fn is_minified(language: Language, text: &str) -> bool {
    let is_web_asset = matches!(
        language,
        Language::JavaScript | Language::TypeScript | Language::Tsx | Language::Css | Language::Json | Language::Html
    );
    if !is_web_asset || text.len() < MINIFIED_LINE {
        return false;
    }
    let (mut lines, mut longest) = (0_usize, 0_usize);
    for line in text.lines() {
        lines += 1;
        longest = longest.max(line.len());
    }
    text.len() / lines.max(1) > MINIFIED_MEAN || (longest > MINIFIED_LINE && longest > text.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::{after_decoding, before_decoding};
    use crate::{Language, MAX_PARSE_BYTES, SkipReason};

    #[test]
    fn the_bytes_alone() {
        assert_eq!(before_decoding(b""), Some(SkipReason::Empty));
        assert_eq!(before_decoding(b"a"), None);
        assert_eq!(before_decoding(&vec![b'a'; MAX_PARSE_BYTES]), None);
        assert_eq!(before_decoding(&vec![b'a'; MAX_PARSE_BYTES + 1]), Some(SkipReason::TooLarge));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        assert_eq!(before_decoding(pointer), Some(SkipReason::LfsPointer));
    }

    #[test]
    fn long_lines_count_only_in_web_assets() {
        let line = "x".repeat(6_000);
        let even = format!("{}\n", "y".repeat(400)).repeat(30);
        assert_eq!(after_decoding(Language::JavaScript, &line), Some(SkipReason::Minified));
        assert_eq!(after_decoding(Language::Css, &even), Some(SkipReason::Minified));
        assert_eq!(after_decoding(Language::Rust, &line), None);
        let short = |count| "  key: value of forty characters or so,\n".repeat(count);
        let one_of_many = format!("{}{}\n", short(921), "x".repeat(32_333));
        assert_eq!(after_decoding(Language::JavaScript, &one_of_many), None);
        let mostly_one = format!("{}{}\n", short(200), "x".repeat(32_333));
        assert_eq!(after_decoding(Language::JavaScript, &mostly_one), Some(SkipReason::Minified));
        assert_eq!(after_decoding(Language::Text, " \n\t"), Some(SkipReason::Empty));
    }
}
