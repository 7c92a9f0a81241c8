//! The only place where a parser runs: grammars and the budget.
//!
//! Grammars bring scanners in C, which see hostile text. One whose state is a stack of unbounded depth is not used (YAML has a
//! reader of our own) or kept from running into its limit (Python).

use std::ops::ControlFlow;

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::{Language, PARSE_BUDGET, ParseQuality};

/// The tree, if there is one, and how good it is.
pub(crate) struct Parsed {
    pub(crate) tree: Option<Tree>,
    pub(crate) quality: ParseQuality,
}

fn grammar(language: Language) -> Option<tree_sitter::Language> {
    let grammar = match language {
        Language::Rust => tree_sitter_rust::LANGUAGE,
        Language::Python => tree_sitter_python::LANGUAGE,
        Language::JavaScript => tree_sitter_javascript::LANGUAGE,
        Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
        Language::Go => tree_sitter_go::LANGUAGE,
        Language::Java => tree_sitter_java::LANGUAGE,
        Language::Json => tree_sitter_json::LANGUAGE,
        Language::Toml => tree_sitter_toml_ng::LANGUAGE,
        _ => return None,
    };
    Some(grammar.into())
}

/// Parses within [`PARSE_BUDGET`].
pub(crate) fn parse(language: Language, text: &str) -> Parsed {
    if language == Language::Python && indents_too_deep(text) {
        return Parsed { tree: None, quality: ParseQuality::TimedOut };
    }
    parse_within(language, text, PARSE_BUDGET)
}

/// The most different indentations of a Python file that is parsed.
const MAX_INDENTS: usize = 256;

/// Python's scanner keeps its stack of indentations in a fixed buffer and writes past its end: from 511 of them inside a
/// string, from fewer inside strings in strings (the assertion that finds out ends the process). The stack grows strictly, so
/// it is never higher than there are different indentations. These are counted as the scanner does: a backslash before a line
/// end continues the count.
fn indents_too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut widths = std::collections::BTreeSet::new();
    let line_starts =
        bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'\n' | b'\r' | b'\x0c')).map(|(at, _)| at + 1);
    for start in line_starts {
        let mut width = 0_u16;
        let mut rest = bytes.get(start..).unwrap_or_default();
        loop {
            rest = match rest {
                [b' ', rest @ ..] => {
                    width = width.wrapping_add(1);
                    rest
                }
                [b'\t', rest @ ..] => {
                    width = width.wrapping_add(8);
                    rest
                }
                [b'\\', b'\r', b'\n', rest @ ..] | [b'\\', b'\n', rest @ ..] => rest,
                _ => break,
            };
            // Nobody indents like that, and looking at it from each of its lines would take long.
            if rest.len() + 4_000 < bytes.len().saturating_sub(start) {
                return true;
            }
        }
        widths.insert(width);
        if widths.len() > MAX_INDENTS {
            return true;
        }
    }
    false
}

fn parse_within(language: Language, text: &str, budget: u32) -> Parsed {
    let not_parsed = Parsed { tree: None, quality: ParseQuality::NotParsed };
    let Some(grammar) = grammar(language) else {
        return not_parsed;
    };
    let mut parser = Parser::new();
    if parser.set_language(&grammar).is_err() {
        return not_parsed;
    }
    let bytes = text.as_bytes();
    let mut steps = 0_u32;
    let mut progress = |_: &ParseState| {
        steps += 1;
        if steps > budget { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let tree = parser.parse_with_options(&mut |start, _| bytes.get(start..).unwrap_or_default(), None, Some(options));
    let quality = match &tree {
        None => ParseQuality::TimedOut,
        Some(tree) if tree.root_node().has_error() => ParseQuality::Errors,
        Some(_) => ParseQuality::Full,
    };
    Parsed { tree, quality }
}

#[cfg(test)]
mod tests {
    use super::{grammar, parse, parse_within};
    use crate::{Language, ParseQuality};

    #[test]
    fn every_grammar_loads() {
        let with_grammar = Language::ALL.iter().filter(|language| grammar(**language).is_some());
        let mut count = 0;
        for language in with_grammar {
            assert_ne!(parse(*language, "a").quality, ParseQuality::NotParsed, "{language:?}");
            count += 1;
        }
        assert_eq!(count, 9);
    }

    #[test]
    fn python_is_not_parsed_beyond_what_its_scanner_holds() {
        let nested = |depth: usize| (0..depth).map(|level| format!("{}if x:\n", " ".repeat(level))).collect::<String>();
        let with_string = |depth: usize| format!("{}{}y = f\"{{a}}\"\n", nested(depth), " ".repeat(depth));
        assert_ne!(parse(Language::Python, &with_string(90)).quality, ParseQuality::TimedOut);
        assert_eq!(parse(Language::Python, &with_string(600)).quality, ParseQuality::TimedOut);
        let continued = (0..600).map(|level| format!("if x:\n{}\\\n y\n", " \\\n".repeat(level))).collect::<String>();
        assert_eq!(parse(Language::Python, &continued).quality, ParseQuality::TimedOut);
    }

    #[test]
    fn the_budget_ends_a_parse() {
        let text = "fn f() { g(1); }\n".repeat(1_000);
        assert_eq!(parse_within(Language::Rust, &text, 10).quality, ParseQuality::TimedOut);
        assert_eq!(parse(Language::Rust, &text).quality, ParseQuality::Full);
        assert_eq!(parse(Language::Rust, "fn f( {").quality, ParseQuality::Errors);
    }
}
