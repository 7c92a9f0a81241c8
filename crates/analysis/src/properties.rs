//! What holds for any bytes under any name.
//!
//! Compiled for tests and for the fuzz targets of `fuzz/`, which differ only in where the bytes come from.

use crate::{FileAnalysis, FileRefs, LinkFile, MAX_CHUNK_NWS, analyse, embedding_text, link, parse_manifest};

/// One name per grammar, reader and gate.
pub const PATHS: &[&str] = &[
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
    "a.css",
    "a.rst",
    "a.html",
    "a.csv",
    "a.sh",
    "a.min.js",
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "go.mod",
    "pom.xml",
    "noext",
];

/// Checks the analysis of one file and returns it.
pub fn analysis(path: &str, bytes: &[u8]) -> FileAnalysis {
    let analysis = analyse(path, bytes);
    assert_eq!(analysis, analyse(path, bytes), "the same input gives the same output");
    let text = analysis.text.as_str();
    assert!(!text.contains('\0'));
    chunks(path, &analysis);
    for (ordinal, symbol) in (0..).zip(&analysis.symbols) {
        assert_eq!(symbol.ordinal, ordinal);
        assert!(symbol.parent.is_none_or(|parent| (parent as usize) < analysis.symbols.len()));
        assert!(text.get(symbol.start_byte as usize..symbol.end_byte as usize).is_some(), "{symbol:?}");
        assert!(1 <= symbol.start_line && symbol.start_line <= symbol.end_line, "{symbol:?}");
        assert!(symbol.end_line <= analysis.loc, "{symbol:?}");
        assert!(symbol.signature.chars().count() <= 400 && !symbol.signature.contains('\n'), "{symbol:?}");
    }
    for import in &analysis.imports {
        assert!(1 <= import.line && import.line <= analysis.loc, "{import:?}");
    }
    for mention in &analysis.refs {
        assert!(mention.enclosing.is_none_or(|enclosing| (enclosing as usize) < analysis.symbols.len()));
        assert!(1 <= mention.line && mention.line <= analysis.loc, "{mention:?}");
    }
    assert!(analysis.sloc <= analysis.loc);
    if analysis.skip.is_some() {
        assert!(analysis.symbols.is_empty() && analysis.imports.is_empty() && analysis.refs.is_empty());
    }
    analysis
}

/// Chunks tile the text, end between characters and are small enough.
fn chunks(path: &str, analysis: &FileAnalysis) {
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
        assert!(piece.len() <= 8 * MAX_CHUNK_NWS, "{} bytes in a chunk", piece.len());
        assert!(1 <= chunk.start_line && chunk.start_line <= chunk.end_line && chunk.end_line <= analysis.loc);
        assert!(embedding_text(path, chunk, piece).ends_with(piece));
    }
    if !analysis.chunks.is_empty() {
        assert_eq!(at as usize, text.len(), "chunks reach the end");
    } else if analysis.skip.is_none() {
        assert!(!analysis.category.has_chunks());
    }
}

/// Every manifest reader over one text: lists are sorted and bounded, lines exist.
pub fn manifest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines = u32::try_from(text.matches('\n').count()).expect("a short text") + 1;
    for path in ["Cargo.toml", "a/package.json", "b/pyproject.toml", "c/d/go.mod", "pom.xml"] {
        let Some(manifest) = parse_manifest(path, &text) else { continue };
        assert_eq!(Some(&manifest), parse_manifest(path, &text).as_ref(), "the same input gives the same output");
        assert!(manifest.dependencies.is_sorted() && manifest.dependencies.len() <= 2_000);
        assert!(manifest.renamed.len() <= 2_000 && manifest.entry_points.len() <= 2_000);
        assert!(manifest.name_line.is_none_or(|line| (1..=lines).contains(&line)), "{path}: {manifest:?}");
        for entry in &manifest.entry_points {
            assert!((1..=lines).contains(&entry.line), "{path}: {entry:?}");
        }
        let stored = serde_json::to_string(&manifest).expect("a manifest can be stored");
        assert_eq!(serde_json::from_str::<crate::Manifest>(&stored).expect("it can be read back"), manifest);
    }
    assert!(parse_manifest("other.toml", &text).is_none());
}

/// Links files written one after the other: a byte that chooses the name, the content, a NUL.
pub fn linking(bytes: &[u8]) {
    const NAMES: &[&str] = &[
        "src/lib.rs",
        "src/a.rs",
        "src/a/mod.rs",
        "src/main.rs",
        "x/src/lib.rs",
        "x/Cargo.toml",
        "Cargo.toml",
        "a/__init__.py",
        "a/b.py",
        "a/c/d.py",
        "pyproject.toml",
        "b.py",
        "src/index.ts",
        "src/a.ts",
        "src/b/index.tsx",
        "lib/c.js",
        "package.json",
        "p/package.json",
        "go.mod",
        "main.go",
        "p/q.go",
        "p/q_test.go",
        "pom.xml",
        "src/main/java/a/B.java",
        "src/main/java/a/C.java",
        "README.md",
        "config.yaml",
    ];
    let analyses = bytes
        .split(|byte| *byte == 0)
        .filter_map(|file| file.split_first())
        .take(40)
        .filter_map(|(name, content)| {
            let path = *NAMES.get(usize::from(*name) % NAMES.len())?;
            Some((path, analyse(path, content)))
        })
        .collect();
    links(analyses);
}

/// Linking is deterministic, whatever the order of the files, and names only what is there.
pub fn links(analyses: Vec<(&str, FileAnalysis)>) {
    let (files, mut mentions): (Vec<LinkFile>, Vec<FileRefs>) =
        analyses.into_iter().map(|(path, analysis)| LinkFile::of(path, analysis)).unzip();
    mentions.sort_by(|left, right| left.path.cmp(&right.path));
    let output = link(&files, mentions.clone());
    assert_eq!(output, link(&files, mentions), "the same input gives the same output");
    let mut symbols = std::collections::BTreeMap::new();
    for file in &files {
        symbols.entry(file.path.as_str()).or_insert(file.symbols.len());
    }
    assert_eq!(output.file_ranks.len(), symbols.len());
    let has = |path: &str, symbol: Option<u32>| {
        symbols.get(path).is_some_and(|count| symbol.is_none_or(|symbol| (symbol as usize) < *count))
    };
    for edge in &output.edges {
        let (src, dst) = (output.path(edge.src), output.path(edge.dst));
        assert!(has(src, edge.src_symbol) && has(dst, edge.dst_symbol), "{edge:?}");
        assert!(edge.line >= 1 && edge.count >= 1 && (1..=5).contains(&edge.tier), "{edge:?}");
    }
    assert!(output.edges.is_sorted() && output.externals.is_sorted());
    assert!(output.externals.iter().all(|external| has(&external.path, None)));
    let sum: f64 = output.file_ranks.iter().map(|(_, rank)| rank).sum();
    assert!(symbols.is_empty() || (sum - 1.0).abs() < 1e-6, "ranks sum to {sum}");
    let slugs: std::collections::BTreeSet<_> = output.modules.iter().map(|module| module.slug.as_str()).collect();
    assert_eq!(slugs.len(), output.modules.len(), "slugs are unique");
}

macro_rules! languages {
    ($($target:ident $path:literal)*) => {
        $(
            #[doc = concat!("The analysis of any bytes as `", $path, "`.")]
            pub fn $target(bytes: &[u8]) {
                analysis($path, bytes);
            }
        )*
    };
}

languages! {
    analyse_rust "a.rs"
    analyse_python "a.py"
    analyse_javascript "a.js"
    analyse_typescript "a.ts"
    analyse_tsx "a.tsx"
    analyse_go "a.go"
    analyse_java "A.java"
    analyse_json "a.json"
    analyse_toml "a.toml"
    analyse_yaml "a.yaml"
    analyse_markdown "a.md"
}

/// The analysis of what has no grammar: the first byte chooses the name.
pub fn analyse_other(bytes: &[u8]) {
    const NAMES: &[&str] = &[
        "a.txt",
        "a.c",
        "a.css",
        "a.rst",
        "a.html",
        "a.csv",
        "a.sh",
        "a.min.js",
        "noext",
        "a.pb.go",
        "LICENSE",
        "vendor/a.js",
        "Dockerfile",
        "a.ipynb",
        "a.diff",
    ];
    let Some((name, content)) = bytes.split_first() else { return };
    analysis(NAMES[usize::from(*name) % NAMES.len()], content);
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::replay::replay;
    use super::{PATHS, analysis, linking, links, manifest};
    use crate::Language;

    #[test]
    fn committed_inputs() {
        replay(&[
            ("analyse_rust", super::analyse_rust),
            ("analyse_python", super::analyse_python),
            ("analyse_javascript", super::analyse_javascript),
            ("analyse_typescript", super::analyse_typescript),
            ("analyse_tsx", super::analyse_tsx),
            ("analyse_go", super::analyse_go),
            ("analyse_java", super::analyse_java),
            ("analyse_json", super::analyse_json),
            ("analyse_toml", super::analyse_toml),
            ("analyse_yaml", super::analyse_yaml),
            ("analyse_markdown", super::analyse_markdown),
            ("analyse_other", super::analyse_other),
            ("manifest", manifest),
            ("link", linking),
        ]);
    }

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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            for path in PATHS {
                analysis(path, &bytes);
            }
            manifest(&bytes);
        }

        #[test]
        fn pieces_of_code(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..400)) {
            let text = pieces.concat();
            links(PATHS.iter().map(|path| (*path, analysis(path, text.as_bytes()))).collect());
        }

        #[test]
        fn long_texts_of_pieces(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 2_000..6_000), path in proptest::sample::select(PATHS)) {
            let text = pieces.concat().replace('\0', " ");
            analysis(path, text.as_bytes());
        }

        #[test]
        fn real_code_with_a_hole(at in 0_usize..2_000, length in 0_usize..80) {
            let samples = [
                ("a.rs", include_str!("../tests/it/samples/rust.txt")),
                ("a.py", include_str!("../tests/it/samples/python.txt")),
                ("a.ts", include_str!("../tests/it/samples/typescript.txt")),
                ("a.go", include_str!("../tests/it/samples/go.txt")),
                ("A.java", include_str!("../tests/it/samples/java.txt")),
            ];
            for (path, text) in samples {
                let bytes = text.as_bytes();
                let start = at.min(bytes.len());
                let end = (start + length).min(bytes.len());
                let with_hole = [&bytes[..start], &bytes[end..]].concat();
                analysis(path, &with_hole);
            }
        }
    }

    #[test]
    fn every_language_takes_every_sample() {
        let samples = [
            include_str!("../tests/it/samples/rust.txt"),
            include_str!("../tests/it/samples/python.txt"),
            include_str!("../tests/it/samples/markdown.txt"),
        ];
        for path in PATHS {
            for sample in samples {
                analysis(path, sample.as_bytes());
            }
        }
        assert!(Language::ALL.len() > 40);
    }
}
