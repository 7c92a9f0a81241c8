//! The only place where a parser runs: grammars and the budget.
//!
//! Grammars bring scanners in C, which see hostile text. One whose state is a stack of unbounded depth is not used (YAML has a
//! reader of our own) or kept from running into its limit (Python). Parsers also slow down with depth, so that what nests like
//! nothing that people write is not parsed at all.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use crate::{Language, PARSE_BUDGET, ParseQuality, nesting};

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
    let too_deep =
        nesting::brackets_too_deep(text) || (language == Language::Python && nesting::indents_too_deep(text));
    if too_deep && grammar(language).is_some() {
        return Parsed { tree: None, quality: ParseQuality::TimedOut };
    }
    parse_within(language, text, PARSE_BUDGET)
}

/// No file that people write comes near it on any machine. It catches text that makes single steps slow, which the counted
/// budget cannot see; such a file alone may come out differently under load.
const LAST_RESORT: Duration = Duration::from_secs(10);

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
    let started = Instant::now();
    let mut steps = 0_u32;
    let mut progress = |_: &ParseState| {
        steps += 1;
        if steps > budget || started.elapsed() > LAST_RESORT {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
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
