//! Which passages fit into the budget, and how they look to the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use caffeine_llm::estimate_tokens;
use caffeine_model::Oid;
use caffeine_sendgate::{SourceRef, is_denied_path};
use caffeine_store::PassageRow;

/// Tokens that a provider adds around each document, roughly.
const FRAME_TOKENS: u32 = 40;
/// The largest share of the budget that one file may take, as a divisor.
const FILE_SHARE: u32 = 3;

/// A passage as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `S1`, `S2`, …: what the model cites.
    pub id: u32,
    /// The file.
    pub path: String,
    /// Its content.
    pub oid: Oid,
    /// First line.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// The lines with their numbers.
    pub text: String,
}

impl Source {
    /// The title of its document: `S12 src/queue.rs L40-L82`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("S{} {} L{}-L{}", self.id, self.path, self.start_line, self.end_line)
    }

    /// What the send gate has to know.
    #[must_use]
    pub fn reference(&self) -> SourceRef {
        SourceRef {
            path: self.path.clone(),
            start_line: self.start_line,
            end_line: self.end_line,
            oid: self.oid.to_string(),
        }
    }
}

/// Takes the best passages until `budget` tokens are used; none of a file that never leaves, and no file takes more
/// than a third. The result is in order of path and line, so that equal choices give equal bytes.
#[must_use]
pub fn pack(passages: &[PassageRow], budget: u32) -> Vec<Source> {
    let mut left = budget;
    let mut by_file: BTreeMap<&str, u32> = BTreeMap::new();
    let mut taken: BTreeSet<(&str, u32, u32)> = BTreeSet::new();
    let mut sources = Vec::new();
    for passage in passages {
        let key = (passage.path.as_str(), passage.start_line, passage.end_line);
        if is_denied_path(&passage.path) || taken.contains(&key) || passage.content.trim().is_empty() {
            continue;
        }
        let text = numbered(&passage.content, passage.start_line);
        let cost = estimate_tokens(&text).saturating_add(estimate_tokens(&passage.path)).saturating_add(FRAME_TOKENS);
        let of_file = by_file.entry(&passage.path).or_default();
        if cost > left || of_file.saturating_add(cost) > budget / FILE_SHARE {
            continue;
        }
        left -= cost;
        *of_file += cost;
        taken.insert(key);
        sources.push(Source {
            id: 0,
            path: passage.path.clone(),
            oid: passage.oid,
            start_line: passage.start_line,
            end_line: passage.end_line.max(passage.start_line),
            text,
        });
    }
    sources.sort_by(|left, right| {
        (&left.path, left.start_line, left.end_line).cmp(&(&right.path, right.start_line, right.end_line))
    });
    for (id, source) in (1..).zip(&mut sources) {
        source.id = id;
    }
    sources
}

/// The text with a number before each line. `first` is the line of the first character that is not whitespace.
fn numbered(content: &str, first: u32) -> String {
    let indent = content.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    let start = content[..indent].rfind('\n').map_or(0, |at| at + 1);
    let mut text = String::with_capacity(content.len() + 256);
    for (number, line) in (first..).zip(content[start..].trim_end().lines()) {
        let _ = writeln!(text, "{number:>5} | {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use caffeine_model::Oid;
    use caffeine_store::PassageRow;

    use super::{numbered, pack};

    fn passage(path: &str, start_line: u32, words: usize) -> PassageRow {
        PassageRow {
            path: path.to_owned(),
            oid: Oid::from_bytes(&[1; 20]).unwrap(),
            language: "rust".to_owned(),
            start_line,
            end_line: start_line + 1,
            content: "let x = 1;\n".repeat(words),
        }
    }

    #[test]
    fn lines_keep_their_real_numbers() {
        assert_eq!(numbered("\n\n  a\n\nb\n\n", 7), "    7 |   a\n    8 | \n    9 | b\n");
        assert_eq!(numbered("  ", 1), "");
    }

    #[test]
    fn the_budget_is_kept_and_the_order_is_by_path() {
        let passages = [
            passage("z.rs", 5, 10),
            passage("a.rs", 1, 10),
            passage("z.rs", 5, 10),
            passage(".env", 1, 1),
            passage("b.rs", 1, 5_000),
        ];
        let sources = pack(&passages, 2_000);
        let shown: Vec<(u32, &str)> = sources.iter().map(|source| (source.id, source.path.as_str())).collect();
        assert_eq!(shown, [(1, "a.rs"), (2, "z.rs")]);
        assert!(pack(&passages, 50).is_empty());
    }

    #[test]
    fn no_file_takes_more_than_a_third() {
        let passages: Vec<_> = (0..40).map(|number| passage("a.rs", number * 10 + 1, 20)).collect();
        let tokens: u32 = pack(&passages, 3_000).iter().map(|source| caffeine_llm::estimate_tokens(&source.text)).sum();
        assert!((500..=1_000).contains(&tokens), "{tokens}");
    }
}
