//! A model's answer, read as hostile Markdown and written again from what was understood: no HTML, no images, no
//! links but our own citations.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::facts::Facts;
use crate::markdown::{Sheet, Written, check, code, fence, text};
use caffeine_prompt::pack::Source;

/// Longest answer that is read, in bytes; the rest is cut.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Deepest nesting that is kept.
const MAX_DEPTH: usize = 24;

/// Makes a page of an answer: checked text, then the sources it cites, then notes about what was left out.
#[must_use]
pub fn page_from_answer(title: &str, answer: &str, facts: &Facts, sources: &[Source], model: &str) -> Written {
    let mut writer = Writer {
        sheet: Sheet::untitled(facts),
        sources: sources.iter().map(|source| (source.id, source)).collect(),
        frames: vec![Frame::new(Container::Page)],
        cited: BTreeSet::new(),
        unknown: 0,
        dropped: 0,
        pending: String::new(),
    };
    let answer = cut(answer, MAX_ANSWER_BYTES);
    let mut begins_with_title = false;
    for (number, event) in Parser::new_ext(answer, Options::ENABLE_TABLES).enumerate() {
        if number == 0 {
            begins_with_title = matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }));
        }
        writer.event(event);
    }
    writer.finish(title, begins_with_title, model)
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A source's number, and lines of it.
type Cited = (u32, Option<(u32, u32)>);

/// What is being collected.
enum Container {
    Page,
    /// Inline text of a block, with what comes before it.
    Inline(String),
    Emphasis(&'static str),
    /// A link or image: only its words are kept.
    Words,
    List(Option<u64>),
    Item,
    Quote,
    Code(String),
    Table(Vec<Alignment>),
    Row,
    Cell,
    /// Dropped with all that is in it.
    Nothing,
}

struct Frame {
    container: Container,
    /// Finished Markdown.
    text: String,
}

impl Frame {
    fn new(container: Container) -> Self {
        Self { container, text: String::new() }
    }
}

struct Writer<'facts> {
    sheet: Sheet<'facts>,
    sources: BTreeMap<u32, &'facts Source>,
    frames: Vec<Frame>,
    cited: BTreeSet<u32>,
    unknown: usize,
    dropped: usize,
    /// Words not yet looked at: the parser cuts `[[S1]]` into pieces.
    pending: String,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Text(words) = &event
            && !self.in_code()
        {
            self.pending.push_str(words);
            return;
        }
        self.flush_words();
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(words) => self.push(&words),
            Event::Code(words) => {
                let span = code(&words);
                self.push(&span);
            }
            Event::SoftBreak => self.push("\n"),
            Event::HardBreak => self.push("\\\n"),
            Event::Rule => self.push("---\n\n"),
            Event::Html(_) | Event::InlineHtml(_) => self.dropped += 1,
            _ => {}
        }
    }

    fn in_code(&self) -> bool {
        matches!(self.frames.last().map(|frame| &frame.container), Some(Container::Code(_)))
    }

    fn push(&mut self, markdown: &str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.text.push_str(markdown);
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let container = match tag {
            _ if self.frames.len() > MAX_DEPTH => Container::Nothing,
            Tag::Paragraph => Container::Inline(String::new()),
            Tag::Heading { level, .. } => Container::Inline(format!("{} ", "#".repeat(level as usize))),
            Tag::BlockQuote(_) => Container::Quote,
            Tag::CodeBlock(CodeBlockKind::Fenced(language)) => Container::Code(language.into_string()),
            Tag::CodeBlock(CodeBlockKind::Indented) => Container::Code(String::new()),
            Tag::List(first) => Container::List(first),
            Tag::Item => Container::Item,
            Tag::Table(alignments) => Container::Table(alignments),
            Tag::TableHead | Tag::TableRow => Container::Row,
            Tag::TableCell => Container::Cell,
            Tag::Emphasis => Container::Emphasis("*"),
            Tag::Strong => Container::Emphasis("**"),
            Tag::Link { .. } => {
                self.dropped += 1;
                Container::Words
            }
            Tag::Image { .. } => {
                self.dropped += 1;
                Container::Words
            }
            Tag::HtmlBlock => Container::Nothing,
            _ => Container::Words,
        };
        // Text right in an item that is followed by a nested block.
        if matches!(container, Container::List(_) | Container::Quote | Container::Code(_))
            && matches!(self.frames.last().map(|frame| &frame.container), Some(Container::Item))
        {
            self.push("\n\n");
        }
        self.frames.push(Frame::new(container));
    }

    fn end(&mut self, _tag: TagEnd) {
        // The page itself stays.
        if self.frames.len() < 2 {
            return;
        }
        let Some(Frame { container, text }) = self.frames.pop() else { return };
        let finished = match container {
            Container::Page | Container::Words => text,
            Container::Inline(before) => {
                let text = text.trim();
                if text.is_empty() { String::new() } else { format!("{before}{}\n\n", block_start(text)) }
            }
            Container::Emphasis(mark) => {
                if text.trim().is_empty() {
                    text
                } else {
                    format!("{mark}{}{mark}", text.trim())
                }
            }
            Container::Quote => prefixed(text.trim_end(), "> ", "> ") + "\n\n",
            Container::Code(language) => fence(&language, &text) + "\n",
            Container::List(_) => text.trim_end().to_owned() + "\n\n",
            Container::Item => {
                let marker = match self.frames.last_mut().map(|frame| &mut frame.container) {
                    Some(Container::List(Some(number))) => {
                        let marker = format!("{number}. ");
                        *number = number.saturating_add(1).min(999_999_999);
                        marker
                    }
                    _ => "- ".to_owned(),
                };
                let indent = " ".repeat(marker.len());
                prefixed(block_start(text.trim()).trim_end(), &marker, &indent) + "\n"
            }
            Container::Cell => format!("| {} ", text.replace('\n', " ").trim()),
            Container::Row => {
                let line = text + "|\n";
                match self.frames.last_mut() {
                    Some(Frame { container: Container::Table(alignments), text }) if text.is_empty() => {
                        line + &rule(alignments)
                    }
                    _ => line,
                }
            }
            Container::Table(_) => text + "\n",
            Container::Nothing => {
                self.dropped += 1;
                String::new()
            }
        };
        self.push(&finished);
    }

    /// Escapes the words that have come together, and turns `[[S1]]` into citations.
    fn flush_words(&mut self) {
        let words = std::mem::take(&mut self.pending);
        let mut rest = words.as_str();
        while let Some(at) = rest.find("[[") {
            let Some(length) = rest[at..].find("]]") else { break };
            let inside = &rest[at + 2..at + length];
            if let Some(citations) = parse_citations(inside) {
                self.push_words(&rest[..at]);
                let links = self.links(&citations);
                self.push(&links);
            } else {
                self.push_words(&rest[..at + length + 2]);
            }
            rest = &rest[at + length + 2..];
        }
        self.push_words(rest);
    }

    /// Escaped words; whitespace at their ends is kept as one space.
    fn push_words(&mut self, words: &str) {
        let space = |yes: bool| if yes { " " } else { "" };
        let before = space(words.starts_with(char::is_whitespace));
        let after = space(words.ends_with(char::is_whitespace) && !words.trim().is_empty());
        self.push(&format!("{before}{}{after}", crate::markdown::words(words)));
    }

    fn links(&mut self, citations: &[Cited]) -> String {
        let mut links = Vec::new();
        for (id, lines) in citations {
            let Some(source) = self.sources.get(id) else {
                self.unknown += 1;
                continue;
            };
            self.cited.insert(*id);
            let whole = (source.start_line, source.end_line);
            let inside = |(start, end): &(u32, u32)| *start >= whole.0 && *end <= whole.1 && start <= end;
            let (start, end) = lines.filter(inside).unwrap_or(whole);
            links.push(self.sheet.cite(&source.path, start, end));
        }
        links.join(" ")
    }

    fn finish(mut self, title: &str, begins_with_title: bool, model: &str) -> Written {
        self.flush_words();
        while self.frames.len() > 1 {
            self.end(TagEnd::Paragraph);
        }
        let body = self.frames.pop().map(|frame| frame.text).unwrap_or_default();
        if !begins_with_title {
            self.sheet.heading(1, &text(title));
        }
        let body = body.trim();
        // Written from understood pieces, so nothing is expected here; what is found all the same stays words.
        if check(body).is_empty() {
            self.sheet.block(&format!("{body}\n"));
        } else {
            self.sheet.block(&fence("text", body));
        }
        self.sheet.heading(2, "Sources");
        let cited: Vec<&Source> = self.cited.iter().filter_map(|id| self.sources.get(id).copied()).collect();
        let items: Vec<String> =
            cited.iter().map(|source| self.sheet.cite(&source.path, source.start_line, source.end_line)).collect();
        if items.is_empty() {
            self.sheet.paragraph("This page cites none of the passages that the model was given: read it with care.");
        }
        self.sheet.list(&items);
        let commit = self.sheet_commit();
        self.sheet.paragraph(&format!(
            "Written by the model {} from {} of the commit {commit}; every citation was checked.",
            code(model),
            counted(self.sources.len(), "passage", "passages")
        ));
        if self.unknown > 0 {
            let unknown = counted(self.unknown, "citation of a source", "citations of sources");
            self.sheet.paragraph(&format!("Left out: {unknown} that the model was not given."));
        }
        if self.dropped > 0 {
            let dropped = counted(self.dropped, "link, image or piece of HTML", "links, images or pieces of HTML");
            self.sheet.paragraph(&format!("Left out: {dropped}."));
        }
        self.sheet.finish()
    }

    fn sheet_commit(&self) -> String {
        code(&self.sheet.facts().run.commit.to_string())
    }
}

/// `S12`, `S12:44`, `S12:44-51`, or several with commas.
fn parse_citations(inside: &str) -> Option<Vec<Cited>> {
    inside
        .split(',')
        .map(|one| {
            let one = one.trim().strip_prefix('S')?;
            let (id, lines) = one.split_once(':').map_or((one, None), |(id, lines)| (id, Some(lines)));
            let lines = lines.map(|lines| {
                let (start, end) = lines.split_once('-').unwrap_or((lines, lines));
                Some((start.trim().parse().ok()?, end.trim().parse().ok()?))
            });
            Some((id.parse().ok()?, lines.flatten()))
        })
        .collect()
}

fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// The first characters of a block must not turn it into another one; escaping of words has seen only pieces.
fn block_start(markdown: &str) -> String {
    let digits = markdown.chars().take_while(char::is_ascii_digit).count();
    let begins = |set: &[char]| markdown.starts_with(set);
    if begins(&['#', '>', '+', '-', '=']) && !markdown.starts_with("- ") {
        return format!("\\{markdown}");
    }
    if digits > 0 && markdown[digits..].starts_with(['.', ')']) && !markdown[digits..].starts_with(". ") {
        return format!("{}\\{}", &markdown[..digits], &markdown[digits..]);
    }
    markdown.to_owned()
}

fn prefixed(text: &str, first: &str, rest: &str) -> String {
    let mut prefixed = String::new();
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            prefixed.push('\n');
        }
        let line = format!("{}{line}", if number == 0 { first } else { rest });
        prefixed.push_str(line.trim_end());
    }
    if prefixed.is_empty() { first.trim_end().to_owned() } else { prefixed }
}

fn rule(alignments: &[Alignment]) -> String {
    let mut line = String::new();
    for alignment in alignments {
        line.push_str(match alignment {
            Alignment::None => "| --- ",
            Alignment::Left => "| :-- ",
            Alignment::Center => "| :-: ",
            Alignment::Right => "| --: ",
        });
    }
    line + "|\n"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::page_from_answer;
    use crate::facts::sample;
    use crate::markdown::{Written, check};
    use caffeine_prompt::pack::Source;

    fn sources() -> Vec<Source> {
        let source = |id, path: &str, start_line, end_line| Source {
            id,
            path: path.to_owned(),
            oid: sample::oid(2),
            start_line,
            end_line,
            text: String::new(),
        };
        vec![source(1, "src/lib.rs", 3, 20), source(2, sample::HOSTILE_PATH, 1, 3)]
    }

    fn page(answer: &str) -> Written {
        page_from_answer("The <title>", answer, &sample::facts(), &sources(), "model-1")
    }

    #[test]
    fn a_whole_answer() {
        let answer = "# Queue\n\nA *queue* of **jobs**. [[S1]] It is `safe`, see [[S1:4-9]] and [[S2, S9]].\n\n\
            1. one [[S1:99-200]]\n2. two\n   - nested `a|b`\n   - [link](https://evil.example) and ![p](https://e/x.png)\n\n\
            | a | b |\n| --- | ---: |\n| x [[S2]] | `y` |\n\n```rust\nfn f() { \"[[S1]]\" }\n```\n\n> quoted <b>html</b>\n\n\
            <script>alert(1)</script>\n\nEnd [[nothing]] [[S1:x]].\n";
        let written = page(answer);
        assert_eq!(check(&written.markdown), []);
        insta::assert_snapshot!("answer", written.markdown);
        assert_eq!(written.citations.len(), 3, "{:?}", written.citations);
    }

    #[test]
    fn a_title_is_added_and_missing_citations_are_said() {
        let written = page("Only words.");
        assert!(written.markdown.starts_with("# The \\<title>\n\nOnly words.\n"), "{}", written.markdown);
        assert!(written.markdown.contains("cites none of the passages"));
    }

    #[test]
    fn long_words_are_kept() {
        let answer = "語".repeat(5_000);
        assert!(page(&answer).markdown.contains(&answer));
    }

    proptest! {
        #[test]
        fn any_answer_becomes_a_sound_page(
            answer in "([-#*_`<>\\[\\]()!&|~$:/.@=+0-9a-zS \\n\\\\\"']|\\[\\[S[12]\\]\\]|<b>|!\\[x\\]\\(y\\)|- |> |1\\. |```|\\PC){0,60}"
        ) {
            let written = page(&answer);
            let findings = check(&written.markdown);
            prop_assert!(findings.is_empty(), "{:?}\n{}", findings, written.markdown);
        }
    }
}
