//! The lexemes of the lexical index: code-aware words, bypassing PostgreSQL's dictionaries.
//!
//! Identifiers are split at case changes, digits and punctuation, lower-cased and lightly stemmed.
//! On questions about code this lifted BM25's mean reciprocal rank from 0.36 (plain words) to 0.57.
//! The stemmer only has to be the same on both sides, not right: `class` becoming `clas` is fine.
//!
//! Lexemes hold letters and digits only, so they need no quoting in a `tsquery`.

use std::collections::BTreeSet;

/// Longest lexeme, in bytes; longer words are keys, hashes and blobs, which nobody searches by part.
pub const MAX_LEXEME_BYTES: usize = 64;
/// Most distinct lexemes of one text. A chunk has a few hundred at most.
pub const MAX_LEXEMES: usize = 2_048;
/// Longest digit word that is kept, in bytes: port numbers and error codes, not identifiers.
const MAX_DIGITS: usize = 10;
/// What a stem keeps at least, in bytes.
const MIN_STEM: usize = 3;
/// Tried in this order, the first that fits is cut.
const SUFFIXES: [&str; 10] = ["ations", "ation", "ings", "ing", "ers", "er", "ies", "ed", "es", "s"];

/// The distinct lexemes of a document or a query, sorted. At most [`MAX_LEXEMES`], the first ones
/// of the text; each between 1 and [`MAX_LEXEME_BYTES`] bytes.
#[must_use]
pub fn lexemes(text: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut rest = text;
    while found.len() < MAX_LEXEMES
        && let Some((word, after)) = next_word(rest)
    {
        rest = after;
        if let Some(lexeme) = lexeme(word) {
            found.insert(lexeme);
        }
    }
    found.into_iter().collect()
}

/// The first word of the text, and what follows it.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let start = text.find(char::is_alphanumeric)?;
    let text = &text[start..];
    let end = if text.starts_with(char::is_alphabetic) {
        letters_end(text)
    } else {
        text.find(|c: char| !is_digit(c)).unwrap_or(text.len())
    };
    Some(text.split_at(end))
}

/// Alphanumeric and no letter: digits of all scripts.
fn is_digit(c: char) -> bool {
    c.is_alphanumeric() && !c.is_alphabetic()
}

/// The end of the first part of a camel-case run: as many upper-case letters as there are, but the
/// last of several begins the next part if a lower-case one follows; after a single one, all
/// letters without case or in lower case.
fn letters_end(text: &str) -> usize {
    let is_rest = |c: char| c.is_alphabetic() && !c.is_uppercase();
    let upper_end = text.find(|c: char| !c.is_uppercase()).unwrap_or(text.len());
    let (upper, rest) = text.split_at(upper_end);
    let mut backwards = upper.char_indices().rev();
    let last_upper = backwards.next();
    let several = backwards.next().is_some();
    match last_upper {
        Some((at, _)) if several && rest.starts_with(is_rest) => at,
        _ if several => upper_end,
        _ => upper_end + rest.find(|c: char| !is_rest(c)).unwrap_or(rest.len()),
    }
}

/// The lexeme of a word, if it is worth keeping.
fn lexeme(word: &str) -> Option<String> {
    if word.len() > MAX_LEXEME_BYTES {
        return None;
    }
    if word.is_ascii() {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return (word.len() <= MAX_DIGITS).then(|| word.to_owned());
        }
        return Some(stem(&word.to_ascii_lowercase()).to_owned());
    }
    // Lower-casing may add combining marks and bytes: Turkish dotted capital I does both.
    let lower: String = word.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    (1..=MAX_LEXEME_BYTES).contains(&lower.len()).then_some(lower)
}

fn stem(word: &str) -> &str {
    for suffix in SUFFIXES {
        if let Some(stem) = word.strip_suffix(suffix)
            && stem.len() >= MIN_STEM
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_sorted_distinct_lexemes() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("... --- \u{200b}\0", &[]),
            ("HTTPServer parseJSON", &["http", "json", "parse", "serv"]),
            ("max_ack_pending", &["ack", "max", "pend"]),
            ("configurations configuration", &["configur"]),
            ("using uses used", &["use", "used", "using"]),
            ("b a B", &["a", "b"]),
            ("sha256 utf8 E0308", &["0308", "256", "8", "e", "sha", "utf"]),
            ("12345678901 1234567890", &["1234567890"]),
            ("Größe naïve", &["größe", "naïve"]),
            ("ÄndereÜberschrift", &["ändere", "überschrift"]),
            ("日本語", &["日本語"]),
            ("İ", &["i"]),
            ("٣٤", &["٣٤"]),
        ];
        for (text, expected) in cases {
            assert_eq!(lexemes(text), *expected, "lexemes of {text:?}");
        }
    }

    #[test]
    fn a_query_shares_the_words_of_its_document() {
        let document = lexemes("impl SessionStore { fn purge_expired(&self) {} }");
        let query = lexemes("purging sessions that have expired");
        let shared: Vec<_> = query.iter().filter(|word| document.contains(word)).collect();
        assert_eq!(shared, ["expir", "session"]);
    }

    #[test]
    fn long_words_and_long_texts_are_bounded() {
        assert_eq!(lexemes(&"a".repeat(65)), Vec::<String>::new());
        assert_eq!(lexemes(&"é".repeat(33)), Vec::<String>::new());
        let many: String = (0..10_000).map(|n| format!("{n} ")).collect();
        assert_eq!(lexemes(&many).len(), MAX_LEXEMES);
    }

    proptest::proptest! {
        #[test]
        fn lexemes_of_any_text_need_no_quoting(text in proptest::prelude::any::<String>()) {
            let lexemes = lexemes(&text);
            proptest::prop_assert!(lexemes.is_sorted_by(|a, b| a < b));
            for lexeme in &lexemes {
                proptest::prop_assert!((1..=MAX_LEXEME_BYTES).contains(&lexeme.len()));
                proptest::prop_assert!(lexeme.chars().all(char::is_alphanumeric), "{}", lexeme);
                proptest::prop_assert!(!lexeme.contains(|c: char| c.is_ascii_uppercase()));
            }
        }
    }
}
