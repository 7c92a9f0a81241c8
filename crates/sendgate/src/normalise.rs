//! Characters that hide text from people while a model still reads it.

/// A text without hidden characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalised {
    /// The text. As many `\n` as before.
    pub text: String,
    /// How many characters were dropped; more than none, apart from carriage returns, is a sign of
    /// "trojan source".
    pub dropped: u64,
}

/// Drops control characters other than newline and tab, bidirectional marks and overrides,
/// zero-width characters, variation selectors and tags.
#[must_use]
pub fn normalise(text: &str) -> Normalised {
    let mut dropped = 0;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            dropped += 1;
        } else {
            kept.push(c);
        }
    }
    Normalised { text: kept, dropped }
}

fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' // soft hyphen
        | '\u{61c}' // Arabic letter mark
        | '\u{180e}' // Mongolian vowel separator
        | '\u{200b}'..='\u{200f}' // zero-width characters, directional marks
        | '\u{202a}'..='\u{202e}' // bidirectional embeddings and overrides
        | '\u{2060}'..='\u{206f}' // invisible operators, bidirectional isolates
        | '\u{fe00}'..='\u{fe0f}' // variation selectors, which can carry bytes
        | '\u{feff}' // byte order mark
        | '\u{fff9}'..='\u{fffb}' // interlinear annotation
        | '\u{e0000}'..='\u{e0fff}' => true, // tags, more variation selectors
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_dropped_and_counted() {
        let cases = [
            ("", "", 0),
            ("a\tb\nc", "a\tb\nc", 0),
            ("a\r\nb\0\u{1b}[0m\u{7f}\u{85}", "a\nb[0m", 5),
            ("if \u{202e}admin\u{2066}", "if admin", 2),
            ("pass\u{200b}word\u{feff}\u{ad}", "password", 3),
            ("x\u{e0041}\u{e007f}\u{fe0f}\u{e0100}", "x", 4),
            ("Größe 日本語 مرحبا 🎉", "Größe 日本語 مرحبا 🎉", 0),
        ];
        for (text, expected, dropped) in cases {
            let expected = Normalised { text: expected.into(), dropped };
            assert_eq!(normalise(text), expected, "{text:?}");
        }
    }
}
