//! What holds for any bytes under any name.

use caffeine_analysis::{
    FileAnalysis, Language, LinkFile, LinkInput, MAX_CHUNK_NWS, analyse, embedding_text, link, parse_manifest,
};
use proptest::prelude::*;

/// One name per grammar, reader and gate.
const PATHS: &[&str] = &[
    "a.rs",
    "a.py",
    "a.js",
    "a.ts",
    "a.tsx",
    "a.go",
    "A.java",
    "a.md",
    "a.json",
    "a.yaml",
    "a.toml",
    "a.txt",
    "a.c",
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "go.mod",
    "pom.xml",
    "noext",
];

/// Pieces that grammars stumble over.
const PIECES: &[&str] = &[
    "fn f",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "\"",
    "'",
    "`",
    "\\",
    "#",
    "//",
    "/*",
    "*/",
    "\"\"\"",
    "\n",
    "\r\n",
    "\t",
    "  ",
    "    ",
    "\n\n",
    "def f():",
    "class A",
    "impl A for B",
    "use a::{b,",
    "import x from 'y'",
    "export default ",
    "package a",
    ": ",
    "- ",
    "= ",
    "===",
    "# H",
    "```",
    "<a>",
    "&x",
    "*y",
    "|",
    ">",
    "é",
    "日本",
    "\u{feff}",
    "\u{2028}",
    "👩‍👩‍👧",
    "@d",
    "pub ",
    "r#\"",
    "\"#",
    "${",
    "%",
    "---",
    "...",
    "?",
    "\u{0}",
    "1e9",
    "async ",
    "lambda x: ",
    "=> ",
    ";",
    ",",
    "[[a]]",
    "a.b.c()",
    "self.x()",
    "const A = 1",
];

fn check(path: &str, bytes: &[u8]) -> FileAnalysis {
    let analysis = analyse(path, bytes);
    assert_eq!(analysis, analyse(path, bytes), "the same input gives the same output");
    let text = analysis.text.as_str();
    let mut at = 0;
    for (ordinal, chunk) in (0..).zip(&analysis.chunks) {
        assert_eq!((chunk.ordinal, chunk.start_byte), (ordinal, at), "chunks tile the text");
        assert!(chunk.end_byte > chunk.start_byte, "no chunk is empty");
        at = chunk.end_byte;
        let piece =
            text.get(chunk.start_byte as usize..chunk.end_byte as usize).expect("chunks end between characters");
        let size = piece.chars().filter(|character| !matches!(character, ' ' | '\t' | '\n' | '\r')).count();
        assert!(size <= MAX_CHUNK_NWS, "{size} characters in a chunk");
        assert!(1 <= chunk.start_line && chunk.start_line <= chunk.end_line && chunk.end_line <= analysis.loc);
        assert!(embedding_text(path, chunk, piece).ends_with(piece));
    }
    if !analysis.chunks.is_empty() {
        assert_eq!(at as usize, text.len(), "chunks reach the end");
    } else if analysis.skip.is_none() {
        assert!(!analysis.category.has_chunks());
    }
    for (ordinal, symbol) in (0..).zip(&analysis.symbols) {
        assert_eq!(symbol.ordinal, ordinal);
        assert!(symbol.parent.is_none_or(|parent| (parent as usize) < analysis.symbols.len()));
        assert!(text.get(symbol.start_byte as usize..symbol.end_byte as usize).is_some());
        assert!(
            1 <= symbol.start_line && symbol.start_line <= symbol.end_line && symbol.end_line <= analysis.loc,
            "{symbol:?}"
        );
        assert!(symbol.signature.chars().count() <= 400 && !symbol.signature.contains('\n'));
    }
    for mention in &analysis.refs {
        assert!(mention.enclosing.is_none_or(|enclosing| (enclosing as usize) < analysis.symbols.len()));
    }
    assert!(!text.contains('\0'));
    analysis
}

fn link_file(path: &str, analysis: FileAnalysis) -> LinkFile {
    LinkFile {
        path: path.to_owned(),
        language: analysis.language,
        category: analysis.category,
        manifest: parse_manifest(path, &analysis.text),
        symbols: analysis.symbols,
        imports: analysis.imports,
        refs: analysis.refs,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for path in PATHS {
            check(path, &bytes);
        }
    }

    #[test]
    fn pieces_of_code(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..400)) {
        let text = pieces.concat();
        let files = PATHS.iter().map(|path| link_file(path, check(path, text.as_bytes()))).collect();
        let input = LinkInput { files };
        let output = link(&input);
        prop_assert_eq!(&output, &link(&input));
        prop_assert_eq!(output.file_ranks.len(), PATHS.len());
    }

    #[test]
    fn long_texts_of_pieces(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 2_000..6_000), path in proptest::sample::select(PATHS)) {
        let text = pieces.concat().replace('\0', " ");
        check(path, text.as_bytes());
    }

    #[test]
    fn real_code_with_a_hole(at in 0_usize..2_000, length in 0_usize..80) {
        let samples = [
            ("a.rs", include_str!("samples/rust.txt")),
            ("a.py", include_str!("samples/python.txt")),
            ("a.ts", include_str!("samples/typescript.txt")),
            ("a.go", include_str!("samples/go.txt")),
            ("A.java", include_str!("samples/java.txt")),
        ];
        for (path, text) in samples {
            let bytes = text.as_bytes();
            let start = at.min(bytes.len());
            let end = (start + length).min(bytes.len());
            let with_hole = [&bytes[..start], &bytes[end..]].concat();
            check(path, &with_hole);
        }
    }
}

#[test]
fn every_language_takes_every_sample() {
    let samples =
        [include_str!("samples/rust.txt"), include_str!("samples/python.txt"), include_str!("samples/markdown.txt")];
    for path in PATHS {
        for sample in samples {
            check(path, sample.as_bytes());
        }
    }
    assert!(Language::ALL.len() > 40);
}
