//! One file from bytes to [`FileAnalysis`].

use crate::decode::decode;
use crate::text::{LineIndex, clamp};
use crate::{Category, FileAnalysis, Language, ParseQuality, SkipReason, chunk, gate, languages, parse};

/// Analyses one file. `path` is only looked at for its name; checking it is the business of `caffeine_model::RepoPath`.
#[must_use]
pub fn analyse(path: &str, bytes: &[u8]) -> FileAnalysis {
    if let Some(reason) = gate::before_decoding(bytes) {
        return skipped(path, reason);
    }
    let decoded = match decode(bytes) {
        Ok(decoded) => decoded,
        Err(reason) => return skipped(path, reason),
    };
    let text = decoded.text;
    let language = Language::detect(path, &text);
    let category = Category::of(path, language, &text);
    let lines = LineIndex::new(&text);
    let skip = gate::after_decoding(language, &text);
    let mut analysis = FileAnalysis {
        language,
        category,
        encoding: decoded.encoding.to_owned(),
        loc: clamp(lines.count()),
        sloc: 0,
        skip,
        parse: ParseQuality::NotParsed,
        ..skipped(path, SkipReason::Empty)
    };
    if skip.is_none() {
        let parsed = parse::parse(language, &text);
        let outline = languages::outline(path, language, &text, parsed.tree.as_ref());
        analysis.parse = parsed.quality;
        if category.has_chunks() {
            analysis.chunks =
                chunk::chunks(chunk::kind(language, category), &text, &lines, parsed.tree.as_ref(), &outline);
        }
        analysis.sloc = sloc(&text, &lines, &outline.comments);
        analysis.symbols = outline.symbols;
        analysis.imports = outline.imports;
        analysis.refs = outline.refs;
    }
    analysis.text = text;
    analysis
}

/// Lines that are not blank and do not lie in a comment that has them to itself.
fn sloc(text: &str, lines: &LineIndex, comments: &[(usize, usize)]) -> u32 {
    let mut count = 0;
    let mut comments = comments.iter().peekable();
    for (start, end) in lines.ranges() {
        let Some(line) = text.get(start..end) else {
            continue;
        };
        let first = start + (line.len() - line.trim_start().len());
        let last = start + line.trim_end().len();
        if first >= last {
            continue;
        }
        while comments.next_if(|(_, comment_end)| *comment_end <= first).is_some() {}
        let in_comment =
            comments.peek().is_some_and(|(comment_start, comment_end)| *comment_start <= first && last <= *comment_end);
        if !in_comment {
            count += 1;
        }
    }
    count
}

fn skipped(path: &str, reason: SkipReason) -> FileAnalysis {
    let language = Language::of_path(path);
    FileAnalysis {
        language,
        category: Category::of(path, language, ""),
        encoding: String::new(),
        text: String::new(),
        loc: 0,
        sloc: 0,
        skip: Some(reason),
        parse: ParseQuality::NotParsed,
        chunks: Vec::new(),
        symbols: Vec::new(),
        imports: Vec::new(),
        refs: Vec::new(),
    }
}
