//! Foreign text as plain text, as a code span and as a code block.

use caffeine_sendgate::normalise;

/// Longest piece of foreign text in a page, in characters; a first paragraph is rarely a third of it.
const MAX_TEXT_CHARS: usize = 1_000;

/// Foreign text on one line without hidden characters, not escaped: for titles in rows.
pub(crate) fn line(foreign: &str) -> String {
    let line = squeezed(foreign);
    match line.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn squeezed(foreign: &str) -> String {
    normalise(foreign).text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Foreign text as plain text on one line: no part of it is markup, in a paragraph, a list item, a heading or a cell.
pub(crate) fn text(foreign: &str) -> String {
    escaped(&line(foreign), true)
}

/// As [`text`], of any length.
pub(crate) fn words(foreign: &str) -> String {
    escaped(&squeezed(foreign), true)
}

/// As [`words`], behind something else on the same line, where no block begins.
pub(crate) fn words_within(foreign: &str) -> String {
    escaped(&squeezed(foreign), false)
}

fn escaped(line: &str, begins_line: bool) -> String {
    let mut escaped = String::with_capacity(line.len() + 16);
    let mut before = None;
    for (at, c) in line.char_indices() {
        let rest = &line[at + c.len_utf8()..];
        let next = rest.chars().next();
        let in_word = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
        match c {
            // An entity, because a cell ends at an escaped bar too in some readers.
            '|' => escaped.push_str("&#124;"),
            '\\' | '`' | '*' | '[' | ']' | '<' | '~' | '$' | '^' => push_escaped(&mut escaped, c),
            '_' if !(in_word(before) && in_word(next)) => push_escaped(&mut escaped, c),
            '&' if next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '#') => {
                push_escaped(&mut escaped, c);
            }
            // What some readers turn into links by themselves.
            ':' if rest.starts_with("//") => push_escaped(&mut escaped, c),
            '@' => push_escaped(&mut escaped, c),
            '.' if escaped.to_ascii_lowercase().ends_with("www") => push_escaped(&mut escaped, c),
            // What begins a block.
            '#' | '>' | '+' | '-' | '=' | ':' if begins_line && at == 0 => push_escaped(&mut escaped, c),
            '.' | ')' if begins_line && is_number(&line[..at]) && next.is_none_or(char::is_whitespace) => {
                push_escaped(&mut escaped, c);
            }
            _ => escaped.push(c),
        }
        before = Some(c);
    }
    escaped
}

/// What an item of a numbered list begins with.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn push_escaped(text: &mut String, c: char) {
    text.push('\\');
    text.push(c);
}

/// Foreign text as a code span; as plain text where a span could not hold it everywhere a page needs it (in a cell).
pub(crate) fn code(foreign: &str) -> String {
    let line = line(foreign);
    if line.is_empty() || line.contains(['|', '\\']) {
        return text(&line);
    }
    let ticks = "`".repeat(longest_run(&line) + 1);
    let needs_space = line.starts_with('`') || line.ends_with('`');
    let space = if needs_space { " " } else { "" };
    format!("{ticks}{space}{line}{space}{ticks}")
}

/// Foreign text as a code block, with a line end after it.
pub(crate) fn fence(language: &str, foreign: &str) -> String {
    let clean = normalise(foreign).text;
    let clean = clean.trim_end_matches('\n');
    let ticks = "`".repeat((longest_run(clean) + 1).max(3));
    let language: String =
        language.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '#' | '.')).take(30).collect();
    format!("{ticks}{language}\n{clean}\n{ticks}\n")
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::{code, fence, line, text};

    /// The words a reader sees, and whether anything but words is there.
    fn read(markdown: &str) -> (String, bool) {
        let mut words = String::new();
        let mut markup = false;
        // Smart punctuation changes dashes and quotes of any text; that is not markup.
        for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            match event {
                Event::Text(piece) | Event::Code(piece) => words.push_str(&piece),
                Event::Start(Tag::Paragraph | Tag::CodeBlock(_)) | Event::End(_) => {}
                _ => markup = true,
            }
        }
        (words, markup)
    }

    #[test]
    fn markup_becomes_words() {
        for hostile in [
            "<script>alert(1)</script>",
            "![x](https://evil.example/p.png)",
            "[click](javascript:alert(1))",
            "a | b | c",
            "`code` ``and more``",
            "**bold** _it_ ~~no~~ $x$",
            "# heading",
            "1. item",
            "12) item",
            "- item",
            "> quote",
            "--- ",
            "&lt;b&gt; &#60; R&D",
            "https://evil.example www.evil.example a@evil.example",
            "[ref]: https://evil.example",
            "[^1]: note",
            ": definition",
            "<!-- comment -->",
            "a\\",
            "\\<b>",
            "snake_case_name and __init__",
        ] {
            let (words, markup) = read(&text(hostile));
            assert!(!markup, "{hostile} became {}", text(hostile));
            assert_eq!(words, line(hostile), "{hostile}");
        }
    }

    #[test]
    fn hidden_characters_and_line_ends_go() {
        assert_eq!(text("a\u{202e}b\u{200b}c\n\n# d\0"), "abc # d");
        assert_eq!(line(&"x".repeat(5_000)).chars().count(), 1_001);
    }

    #[test]
    fn code_spans() {
        for (foreign, expected) in
            [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("", ""), ("a|b", "a&#124;b"), ("a\nb", "`a b`")]
        {
            assert_eq!(code(foreign), expected);
        }
    }

    #[test]
    fn a_block_ends_where_it_should() {
        assert_eq!(fence("rust", "```\n````\n"), "`````rust\n```\n````\n`````\n");
        assert_eq!(fence("x`\n<b>", "a"), "```xb\na\n```\n");
    }

    proptest! {
        #[test]
        fn any_text_is_only_words(foreign in "\\PC{0,40}|[-#*_`<>\\[\\]()!&|~$:/.@=+0-9a-z \\\\]{0,24}") {
            let (words, markup) = read(&text(&foreign));
            prop_assert!(!markup, "{}", text(&foreign));
            prop_assert_eq!(words, line(&foreign));
        }

        #[test]
        fn any_code_is_only_words(foreign in "\\PC{0,40}|[-#*_`<>|a ]{1,16}") {
            let (words, markup) = read(&code(&foreign));
            prop_assert!(!markup, "{}", code(&foreign));
            prop_assert_eq!(words, line(&foreign));
        }
    }
}
