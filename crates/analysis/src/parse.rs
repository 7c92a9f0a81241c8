//! The only place where a parser runs: grammars and the budget.
//!
//! Grammars bring scanners in C, which see hostile text. One whose state is a stack of unbounded depth is not used (YAML has a
//! reader of our own) or kept from running into its limit (Python). Parsers also slow down with depth, so that what nests like
//! nothing that people write is not parsed at all.

use std::cell::Cell;
use std::ops::ControlFlow;

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::clock::Clock;
use crate::{Language, PARSE_BUDGET, ParseQuality, READ_BUDGET, nesting};

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

/// Parses within [`PARSE_BUDGET`] and [`READ_BUDGET`].
pub(crate) fn parse(language: Language, text: &str) -> Parsed {
    let too_deep =
        nesting::brackets_too_deep(text) || (language == Language::Python && nesting::indents_too_deep(text));
    if too_deep && grammar(language).is_some() {
        return Parsed { tree: None, quality: ParseQuality::TimedOut };
    }
    parse_within(language, text, PARSE_BUDGET, READ_BUDGET)
}

/// Bytes that a lexer is given at once. It asks again when it goes on, and when it comes back to an earlier place.
const READ_BYTES: usize = 1_024;

/// What a parse has cost so far. Counted, so that it is the same on every machine.
struct Spent {
    steps: Cell<u32>,
    /// A scan to the end of the file for each of its tokens costs one step each, and quadratic time.
    reads: Cell<u32>,
    most_steps: u32,
    most_reads: u32,
}

impl Spent {
    fn is_too_much(&self) -> bool {
        self.steps.get() > self.most_steps || self.reads.get() > self.most_reads
    }
}

fn parse_within(language: Language, text: &str, most_steps: u32, most_reads: u32) -> Parsed {
    let not_parsed = Parsed { tree: None, quality: ParseQuality::NotParsed };
    let Some(grammar) = grammar(language) else {
        return not_parsed;
    };
    let mut parser = Parser::new();
    if parser.set_language(&grammar).is_err() {
        return not_parsed;
    }
    let spent = Spent { steps: Cell::new(0), reads: Cell::new(0), most_steps, most_reads };
    let bytes = text.as_bytes();
    let mut read = |start: usize, _| {
        spent.reads.set(spent.reads.get() + 1);
        // To a parser whose budget is used up the text ends here; the next step ends it.
        let rest = if spent.is_too_much() { &[] } else { bytes.get(start..).unwrap_or_default() };
        rest.get(..READ_BYTES).unwrap_or(rest)
    };
    let clock = Clock::start();
    let mut progress = |_: &ParseState| {
        spent.steps.set(spent.steps.get() + 1);
        if spent.is_too_much() || clock.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let tree = parser.parse_with_options(&mut read, None, Some(options));
    // A parse may end before it is asked whether it should; it has seen an end that is none then.
    let tree = tree.filter(|_| !spent.is_too_much());
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
    use crate::{Language, ParseQuality, READ_BUDGET};

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

    /// A text for whose every token the scanner goes to the end of the file and back.
    #[test]
    fn what_is_read_over_and_over_is_not_parsed() {
        let text = "#!".repeat(crate::MAX_PARSE_BYTES / 2);
        assert_eq!(parse_within(Language::Rust, &text, u32::MAX, READ_BUDGET).quality, ParseQuality::TimedOut);
        let ordinary = "fn f() { g(\"text\"); } // A comment.\n".repeat(20_000);
        assert_eq!(parse_within(Language::Rust, &ordinary, u32::MAX, READ_BUDGET / 40).quality, ParseQuality::Full);
    }

    #[test]
    fn the_budget_ends_a_parse() {
        let text = "fn f() { g(1); }\n".repeat(1_000);
        assert_eq!(parse_within(Language::Rust, &text, 10, u32::MAX).quality, ParseQuality::TimedOut);
        assert_eq!(parse_within(Language::Rust, &text, u32::MAX, 10).quality, ParseQuality::TimedOut);
        assert_eq!(parse(Language::Rust, &text).quality, ParseQuality::Full);
        assert_eq!(parse(Language::Rust, "fn f( {").quality, ParseQuality::Errors);
    }
}
