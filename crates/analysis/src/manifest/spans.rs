//! Lines of things found by their byte.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::text::LineIndex;

/// A TOML document with its lines.
pub(super) struct Document<'text> {
    pub(super) root: DeTable<'text>,
    lines: LineIndex,
}

impl<'text> Document<'text> {
    /// `None` if it is not TOML at all; a document with some errors is read as far as it goes.
    pub(super) fn parse(text: &'text str) -> Option<Self> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let root = root.into_inner();
        if root.is_empty() && !errors.is_empty() {
            return None;
        }
        Some(Self { root, lines: LineIndex::new(text) })
    }

    pub(super) fn line(&self, span: &Range<usize>) -> u32 {
        self.lines.line_of(span.start)
    }

    /// A table by its path of keys.
    pub(super) fn table(&self, path: &[&str]) -> Option<&DeTable<'text>> {
        let mut table = &self.root;
        for key in path {
            table = table.get(*key)?.get_ref().as_table()?;
        }
        Some(table)
    }

    /// A string in a table and its line.
    pub(super) fn string(&self, table: &DeTable<'text>, key: &str) -> Option<(String, u32)> {
        let value = table.get(key)?;
        Some((value.get_ref().as_str()?.to_owned(), self.line(&value.span())))
    }
}

/// The strings of an array.
pub(super) fn strings<'value>(
    value: &'value Spanned<DeValue<'_>>,
) -> impl Iterator<Item = (&'value str, Range<usize>)> {
    let items = value.get_ref().as_array().into_iter().flat_map(|array| array.iter());
    items.filter_map(|item| item.get_ref().as_str().map(|text| (text, item.span())))
}

/// Lines of the keys of a JSON object, by path, two levels deep.
pub(super) fn json_lines(text: &str) -> Vec<(Vec<String>, u32)> {
    let mut found = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut last_string: Option<(String, u32)> = None;
    let mut depth = 0_usize;
    let mut line = 1_u32;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => line += 1,
            '"' => {
                let mut string = String::new();
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' => {
                            string.extend(characters.next());
                        }
                        '\n' => line += 1,
                        other => string.push(other),
                    }
                }
                last_string = Some((string, line));
            }
            ':' if (1..=2).contains(&depth) => {
                if let Some((key, key_line)) = last_string.take() {
                    path.truncate(depth - 1);
                    path.push(key);
                    if path.len() == depth && found.len() < 10_000 {
                        found.push((path.clone(), key_line));
                    }
                }
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::json_lines;

    #[test]
    fn keys_are_found_with_their_lines() {
        let lines = json_lines("{\n \"a\": 1,\n \"b\": {\n  \"c\\\"\": \"x: y\" },\n \"d\": [ { \"e\": 1 } ]\n}");
        let lines: Vec<_> = lines.iter().map(|(path, line)| (path.join("."), *line)).collect();
        let expected = [("a", 2), ("b", 3), ("b.c\"", 4), ("d", 5)].map(|(path, line)| (path.to_owned(), line));
        assert_eq!(lines, expected);
    }
}
