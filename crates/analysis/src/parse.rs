//! The only place where a parser runs: grammars and the budget.

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
        Language::Yaml => tree_sitter_yaml::LANGUAGE,
        Language::Toml => tree_sitter_toml_ng::LANGUAGE,
        _ => return None,
    };
    Some(grammar.into())
}

/// Parses within [`PARSE_BUDGET`].
pub(crate) fn parse(language: Language, text: &str) -> Parsed {
    parse_within(language, text, PARSE_BUDGET)
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
        assert_eq!(count, 10);
    }

    #[test]
    fn the_budget_ends_a_parse() {
        let text = "fn f() { g(1); }\n".repeat(1_000);
        assert_eq!(parse_within(Language::Rust, &text, 10).quality, ParseQuality::TimedOut);
        assert_eq!(parse(Language::Rust, &text).quality, ParseQuality::Full);
        assert_eq!(parse(Language::Rust, "fn f( {").quality, ParseQuality::Errors);
    }
}
