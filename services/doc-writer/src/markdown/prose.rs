//! Documentation written for people: what it means is kept, and nothing of what it could do.

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::{code, line, text, words, words_within};

/// A start of a line after which no block begins.
const INLINE: &str = "a ";
/// Tags for layout, as in Javadoc: they go, what is between them stays.
const LAYOUT: [&str; 23] = [
    "a", "b", "br", "center", "code", "details", "div", "em", "i", "img", "kbd", "li", "p", "picture", "pre", "span",
    "strong", "sub", "summary", "sup", "tt", "u", "ul",
];

/// Foreign prose on one line. Code spans and emphasis are written again from what was understood; links keep only their
/// words, pictures go, everything else is words.
///
/// The result is read again, and is words alone if a reader would see anything but what was meant.
pub(crate) fn prose(foreign: &str) -> String {
    let line = line(&without_inline_tags(foreign));
    let pieces = read(&line);
    let (written, meant) = (written(&pieces), seen(&pieces));
    if is_plain(&written, &meant) { written } else { text(&line) }
}

/// What a reader of prose sees of it, without any markup.
pub(crate) fn prose_words(foreign: &str) -> String {
    seen(&read(&line(&without_inline_tags(foreign))))
}

#[derive(Debug)]
enum Piece {
    Words(String),
    Code(String),
    /// Where emphasis begins or ends.
    Mark(&'static str),
}

/// Reads one line.
fn read(line: &str) -> Vec<Piece> {
    let source = format!("{INLINE}{line}");
    // Links to items have no address of their own.
    let item = |_: BrokenLink<'_>| Some((CowStr::Borrowed("item"), CowStr::Borrowed("")));
    let mut pieces = Vec::new();
    // What is left out with all that is in it: pictures, and links that are written as code.
    let mut left_out = 0_usize;
    let mut brackets: Vec<Brackets> = Vec::new();
    for (event, range) in
        Parser::new_with_broken_link_callback(&source, Options::empty(), Some(item)).into_offset_iter()
    {
        match event {
            Event::Start(Tag::Image { .. }) => left_out += 1,
            Event::End(TagEnd::Image) => left_out = left_out.saturating_sub(1),
            Event::Start(Tag::Link { link_type, .. }) => {
                let inside = source.get(range).unwrap_or_default();
                let kind = if link_type == LinkType::ShortcutUnknown { Brackets::of(inside) } else { Brackets::Link };
                match kind {
                    Brackets::Item if left_out == 0 => {
                        pieces.push(Piece::Code(inside.trim_matches(['[', ']']).to_owned()));
                    }
                    Brackets::Words if left_out == 0 => push_words(&mut pieces, "["),
                    _ => {}
                }
                left_out += usize::from(kind == Brackets::Item);
                brackets.push(kind);
            }
            Event::End(TagEnd::Link) => match brackets.pop() {
                Some(Brackets::Item) => left_out = left_out.saturating_sub(1),
                Some(Brackets::Words) if left_out == 0 => push_words(&mut pieces, "]"),
                _ => {}
            },
            _ if left_out > 0 => {}
            Event::Text(words) => push_words(&mut pieces, &words),
            Event::InlineHtml(tag) if !is_layout(&tag) => push_words(&mut pieces, &tag),
            Event::Code(words) => pieces.push(Piece::Code(words.into_string())),
            Event::Start(Tag::Emphasis) | Event::End(TagEnd::Emphasis) => pieces.push(Piece::Mark("*")),
            Event::Start(Tag::Strong) | Event::End(TagEnd::Strong) => pieces.push(Piece::Mark("**")),
            _ => {}
        }
    }
    if let Some(Piece::Words(first)) = pieces.first_mut() {
        *first = first.strip_prefix(INLINE).map(str::to_owned).unwrap_or_default();
    }
    pieces
}

/// What brackets without an address stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brackets {
    /// A link of which only the words are kept.
    Link,
    /// The name of an item: `[module::Name]`.
    Item,
    /// Themselves: `[u8; 4]`.
    Words,
}

impl Brackets {
    fn of(link: &str) -> Self {
        let inside = link.trim_matches(['[', ']']);
        let is_code = inside.len() > 2 && inside.starts_with('`') && inside.ends_with('`');
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '(' | ')' | '!');
        let is_item = inside.starts_with(|c: char| c.is_alphabetic())
            && inside.chars().all(is_name)
            && (inside.contains("::") || inside.ends_with("()") || inside.contains('_') || is_camel(inside));
        // `[several words]` are a link whose address stands elsewhere.
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '`' | '_' | '-' | '\'' | ':');
        let are_words = inside.starts_with(|c: char| c.is_alphabetic() || c == '`')
            && inside.contains(' ')
            && inside.chars().all(is_word);
        match (is_code || are_words, is_item) {
            (true, _) => Self::Link,
            (_, true) => Self::Item,
            _ => Self::Words,
        }
    }
}

/// `StoreError`, but not `Optional`.
fn is_camel(name: &str) -> bool {
    let capitals = name.chars().filter(|c| c.is_uppercase()).count();
    capitals > 1 && name.contains(char::is_lowercase)
}

fn push_words(pieces: &mut Vec<Piece>, more: &str) {
    if let Some(Piece::Words(before)) = pieces.last_mut() {
        before.push_str(more);
    } else {
        pieces.push(Piece::Words(more.to_owned()));
    }
}

fn is_layout(tag: &str) -> bool {
    let name = tag.trim_start_matches('<').trim_start_matches('/');
    let name = name.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default();
    // In capitals it is a type: `Vec<A>`.
    LAYOUT.contains(&name)
}

fn written(pieces: &[Piece]) -> String {
    let mut written = String::new();
    for piece in pieces {
        match piece {
            Piece::Words(piece) => {
                let space = |yes: bool| if yes { " " } else { "" };
                let escaped = if written.is_empty() { words(piece) } else { words_within(piece) };
                written.push_str(space(piece.starts_with(' ')));
                written.push_str(&escaped);
                written.push_str(space(piece.ends_with(' ') && !escaped.is_empty()));
            }
            Piece::Code(piece) => written.push_str(&code(piece)),
            Piece::Mark(mark) => written.push_str(mark),
        }
    }
    written.trim().to_owned()
}

fn seen(pieces: &[Piece]) -> String {
    let words = pieces.iter().map(|piece| match piece {
        Piece::Words(words) => words.clone(),
        Piece::Code(words) => line(words),
        Piece::Mark(_) => String::new(),
    });
    squeezed(&words.collect::<String>())
}

fn squeezed(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a reader sees these words and no markup but code and emphasis, whatever the reader knows.
fn is_plain(markdown: &str, meant: &str) -> bool {
    let mut words = String::new();
    let mut blocks = 0_usize;
    for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Text(piece) | Event::Code(piece) => words.push_str(&piece),
            Event::Start(Tag::Paragraph) => blocks += 1,
            Event::Start(Tag::Emphasis | Tag::Strong) | Event::End(_) => {}
            _ => return false,
        }
    }
    blocks <= 1 && squeezed(&words) == meant
}

/// `{@code x}` and `{@link x}` of Javadoc and JSDoc, and the roles of reStructuredText, as code spans.
fn without_inline_tags(foreign: &str) -> String {
    const TAGS: [&str; 4] = ["{@code ", "{@link ", "{@linkplain ", "{@literal "];
    let mut plain = String::with_capacity(foreign.len());
    let mut rest = foreign;
    while let Some(at) = rest.find(['{', ':']) {
        let (before, tail) = rest.split_at(at);
        plain.push_str(before);
        rest = tail;
        let tagged = TAGS.iter().find_map(|tag| {
            let (inside, after) = rest.strip_prefix(tag)?.split_once('}')?;
            (!inside.contains(['{', '`'])).then_some((inside, after))
        });
        if let Some((inside, after)) = tagged {
            plain.push_str(&format!("`{}`", inside.trim().trim_start_matches('#').replace('#', ".")));
            rest = after;
        } else if let Some(after) = after_role(rest) {
            rest = after;
        } else {
            let end = rest.chars().next().map_or(0, char::len_utf8);
            plain.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    plain.push_str(rest);
    plain
}

/// What follows `:role:` where a code span does.
fn after_role(text: &str) -> Option<&str> {
    let (role, after) = text.strip_prefix(':')?.split_once(':')?;
    let is_role = !role.is_empty() && role.len() <= 20 && role.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    (is_role && after.starts_with('`') && !after.starts_with("``")).then_some(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_plain, prose, prose_words};
    use crate::markdown::{check, line};

    #[test]
    fn code_and_emphasis_are_kept_and_nothing_else() {
        for (foreign, expected) in [
            ("Keeps a `Queue` *safe*.", "Keeps a `Queue` *safe*."),
            ("Returns ``a`b`` and **never** panics", "Returns ``a`b`` and **never** panics"),
            (
                "See [`Queue::push`], [`pop`](Self::pop) and [the book](https://evil.example).",
                "See `Queue::push`, `pop` and the book.",
            ),
            ("See [crate::Store], [StoreError] and [`x`][y].", "See `crate::Store`, `StoreError` and `x`."),
            ("Returns a [task ID] of [0, 1]", "Returns a task ID of \\[0, 1\\]"),
            ("An array [u8; 4] of [Optional] values", "An array \\[u8; 4\\] of \\[Optional\\] values"),
            ("![logo](https://evil.example/x.png) A tool", "A tool"),
            ("[![CI](a.svg)](https://ci.example) A tool", "A tool"),
            ("Vec<T> of <script>x</script>", "Vec\\<T> of \\<script>x\\</script>"),
            ("First.<p>A <code>List</code>", "First.A List"),
            ("Takes {@code null} or a {@link Map#get}.", "Takes `null` or a `Map.get`."),
            ("Raises :class:`ValueError`: always.", "Raises `ValueError`: always."),
            ("# no heading", "\\# no heading"),
            ("- no item", "\\- no item"),
            ("1. no item", "1\\. no item"),
            ("```", "\\`\\`\\`"),
            ("a | `b | c`", "a &#124; b &#124; c"),
            ("snake_case_name and *open", "snake_case_name and \\*open"),
            ("", ""),
        ] {
            assert_eq!(prose(foreign), expected, "{foreign}");
        }
        assert_eq!(prose_words("A `b` *c* [d](e) ![f](g)"), "A b c d");
    }

    fn check_prose(foreign: &str) {
        let written = prose(foreign);
        let words = [prose_words(foreign), line(&super::without_inline_tags(foreign))];
        assert!(words.iter().any(|words| is_plain(&written, words)), "{foreign:?} became {written:?}");
        assert_eq!(check(&format!("- {written}\n\n| a |\n| --- |\n| {written} |\n\n> {written}\n\n# {written}\n")), []);
        assert!(!written.contains('\n'));
    }

    #[test]
    fn hostile_prose() {
        for foreign in [
            crate::facts::sample::HOSTILE_DOC,
            "[a]: https://evil.example",
            "[^1] [^1]: note",
            "<https://evil.example> a@evil.example",
            "*a* <p>* b*",
            "x[a](b)*<p>(b)*",
            "`a` ``` `b",
            "***a** b*",
            "{@code a`b} {@code {x}",
            "[`a` b][`c`",
            "![a [b](c)](d)",
            "[Foo::<u8>] [a_b![x](y)]",
        ] {
            check_prose(foreign);
        }
    }

    proptest! {
        #[test]
        fn any_prose_is_only_words_code_and_emphasis(
            foreign in "\\PC{0,40}|[-#*_`<>\\[\\]()!&|~$:/.@=+0-9a-zA ^{}\\\\]{0,40}|(\\*|\\*\\*|`|\\[a\\]|\\[`b`\\]\\(c\\)|!\\[d\\]\\(e\\)|<p>|x| |\\(|_){0,16}"
        ) {
            check_prose(&foreign);
        }
    }
}
