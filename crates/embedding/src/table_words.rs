//! The words of the static table, cut exactly as they were when it was trained.
//!
//! Only ASCII letters and digits count. Every other byte separates, and so does every byte of a
//! non-ASCII character: `naïve` gives `na` and `ve`. The rules are frozen with the table
//! (`data/README.md`); any change here makes every stored vector wrong.

/// Longest letter word that is kept, in bytes.
const MAX_LETTERS: usize = 40;
/// Longest digit word that is kept, in bytes.
const MAX_DIGITS: usize = 4;

/// The lower-cased words of a text, one after the other, without allocating.
pub(crate) struct TableWords<'t> {
    text: &'t [u8],
    at: usize,
    word: [u8; MAX_LETTERS],
}

impl<'t> TableWords<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text: text.as_bytes(), at: 0, word: [0; MAX_LETTERS] }
    }

    /// The next word that is not too long. Not an `Iterator`, as it lends its own buffer.
    pub(crate) fn next_word(&mut self) -> Option<&[u8]> {
        while let Some(&byte) = self.text.get(self.at) {
            let start = self.at;
            let limit = if byte.is_ascii_digit() {
                self.skip(u8::is_ascii_digit);
                MAX_DIGITS
            } else if byte.is_ascii_alphabetic() {
                self.skip_letters();
                MAX_LETTERS
            } else {
                self.at += 1;
                continue;
            };
            let length = self.at - start;
            if length <= limit {
                let word = &mut self.word[..length];
                word.copy_from_slice(&self.text[start..self.at]);
                word.make_ascii_lowercase();
                return Some(word);
            }
        }
        None
    }

    /// One part of a camel-case run. `HTTPServer` gives `HTTP` first: the last upper-case letter
    /// before a lower-case one begins the next part.
    fn skip_letters(&mut self) {
        let start = self.at;
        self.skip(u8::is_ascii_uppercase);
        let upper = self.at - start;
        let lower_follows = self.text.get(self.at).is_some_and(u8::is_ascii_lowercase);
        match (upper, lower_follows) {
            (0 | 1, _) => self.skip(u8::is_ascii_lowercase),
            (_, true) => self.at -= 1,
            (_, false) => {}
        }
    }

    fn skip(&mut self, belongs: impl Fn(&u8) -> bool) {
        while self.text.get(self.at).is_some_and(&belongs) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = TableWords::new(text);
        let mut found = Vec::new();
        while let Some(word) = words.next_word() {
            found.push(String::from_utf8_lossy(word).into_owned());
        }
        found
    }

    #[test]
    fn words_are_cut_as_in_training() {
        let long = "a".repeat(40);
        let too_long = "a".repeat(41);
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("HTTPServer", &["http", "server"]),
            ("parseJSON", &["parse", "json"]),
            ("getUserID2", &["get", "user", "id", "2"]),
            ("snake_case_name", &["snake", "case", "name"]),
            ("utf8", &["utf", "8"]),
            ("naïve", &["na", "ve"]),
            ("1234 12345", &["1234"]),
            ("A", &["a"]),
            ("ABc", &["a", "bc"]),
            (&long, &[&long]),
            (&too_long, &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), *expected, "words of {text:?}");
        }
    }
}
