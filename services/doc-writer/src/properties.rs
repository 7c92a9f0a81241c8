//! What holds for any bytes that arrive here.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use caffeine_prompt::pack::Source;
use caffeine_prompt::render::{Part, Values, render, render_system};
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::facts::sample;
use crate::markdown::{check, code, fence, line, prose, text};
use crate::template::answer::page_from_answer;

/// Foreign text as text, code and block: a reader sees its words and nothing but words. As prose, code spans and
/// emphasis besides.
pub fn escaping(bytes: &[u8]) {
    let foreign = String::from_utf8_lossy(bytes);
    for written in [text(&foreign), code(&foreign)] {
        let (words, markup) = read(&written);
        assert!(!markup, "{written}");
        assert_eq!(words, line(&foreign), "{written}");
        // As items and cells, where pages put them.
        assert_eq!(check(&format!("- {written}\n\n| a |\n| --- |\n| {written} |\n\n# {written}\n")), []);
    }
    let documentation = prose(&foreign);
    assert_eq!(check(&format!("- {documentation}\n\n| a |\n| --- |\n| {documentation} |\n\n# {documentation}\n")), []);
    let is_allowed = |event: Event<'_>| {
        matches!(
            event,
            Event::Text(_)
                | Event::Code(_)
                | Event::End(_)
                | Event::Start(Tag::Paragraph | Tag::Emphasis | Tag::Strong)
        )
    };
    let reader = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    assert!(Parser::new_ext(&documentation, reader).all(is_allowed), "{documentation}");
    let block = fence("rust", &foreign);
    assert_eq!(check(&block), []);
    let events: Vec<Event<'_>> = Parser::new(&block).collect();
    assert!(matches!(events.first(), Some(Event::Start(Tag::CodeBlock(_)))), "{block}");
    assert!(events[1..events.len() - 1].iter().all(|event| matches!(event, Event::Text(_))), "{block}");
}

/// The words a reader sees, and whether anything but words is there.
fn read(markdown: &str) -> (String, bool) {
    let mut words = String::new();
    let mut markup = false;
    for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Text(piece) | Event::Code(piece) => words.push_str(&piece),
            Event::Start(Tag::Paragraph) | Event::End(_) => {}
            _ => markup = true,
        }
    }
    (words, markup)
}

/// A model's answer: the page made of it has no HTML, image or foreign link, and cites only lines that exist.
pub fn answer(bytes: &[u8]) {
    let answer = String::from_utf8_lossy(bytes);
    let facts = sample::facts();
    let source = |id, path: &str, start_line, end_line| Source {
        id,
        path: path.to_owned(),
        oid: sample::oid(2),
        start_line,
        end_line,
        text: String::new(),
    };
    let sources = [source(1, "src/lib.rs", 3, 20), source(2, sample::HOSTILE_PATH, 1, 3)];
    let page = page_from_answer("The <title>", &answer, &facts, &sources, "model-1");
    let findings = check(&page.markdown);
    assert_eq!(findings, [], "{}", page.markdown);
    for citation in &page.citations {
        let file = facts.file(&citation.path).expect("a citation is of a file");
        assert!(
            1 <= citation.start_line && citation.start_line <= citation.end_line && citation.end_line <= file.lines
        );
    }
    assert_eq!(page, page_from_answer("The <title>", &answer, &facts, &sources, "model-1"));
    // What others wrote may be said in other words, never in many more.
    assert!(page.markdown.len() <= 200 * answer.len() + 4_000, "{} of {} bytes", page.markdown.len(), answer.len());
}

/// A template's body and the value of `{style}` with a NUL between them: every known placeholder is filled once, and
/// values are never read again.
pub fn rendering(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).replace(['\u{1}', '\u{2}', '\u{3}'], "");
    let (body, style) = text.split_once('\0').unwrap_or((&text, ""));
    let marks = Values { language: "\u{1}", style: "\u{2}", output_language: "\u{3}" };
    let parts = render(body, &marks);
    for part in &parts {
        let Part::Text(text) = part else { continue };
        for name in ["{code}", "{language}", "{style}", "{output_language}"] {
            assert!(!text.contains(name), "{name} is left in {text:?}");
        }
    }
    let joined = |parts: &[Part]| -> String {
        parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "{code}" }).collect()
    };
    let restored = joined(&parts).replace('\u{1}', "{language}").replace('\u{2}', "{style}");
    assert_eq!(restored.replace('\u{3}', "{output_language}"), body, "the rest stays as it is");

    let values = Values { language: "{code}", style, output_language: "{style}" };
    let filled = render(body, &values);
    let slots = |parts: &[Part]| parts.iter().filter(|part| **part == Part::Code).count();
    assert_eq!((slots(&filled), slots(&parts)), (body.matches("{code}").count(), body.matches("{code}").count()));
    assert_eq!(render_system(body, &marks), joined(&parts));
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn committed_inputs() {
        super::replay::replay(&[
            ("escaping", super::escaping),
            ("answer", super::answer),
            ("rendering", super::rendering),
        ]);
    }
}
