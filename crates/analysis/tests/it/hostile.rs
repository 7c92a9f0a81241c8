//! Files that somebody made to hurt.

use caffeine_analysis::{Category, MAX_PARSE_BYTES, ParseQuality, SkipReason, analyse, parse_manifest};

const PATHS: &[&str] =
    &["a.rs", "a.py", "a.js", "a.ts", "a.tsx", "a.go", "A.java", "a.json", "a.yaml", "a.toml", "a.md", "a.txt"];

/// The chunks of whatever is not skipped still are the text.
fn check(path: &str, text: &str) {
    let analysis = analyse(path, text.as_bytes());
    let length: usize = analysis.chunks.iter().map(|chunk| chunk.slice(&analysis.text).len()).sum();
    if analysis.skip.is_none() && analysis.category.has_chunks() {
        assert_eq!(length, text.len(), "{path}");
    } else {
        assert_eq!(length, 0, "{path}");
    }
}

#[test]
fn nesting_without_end() {
    // Too deep for a parser, and in pieces that are not.
    for opening in
        ["(", "[", "{", "<", "if x { ", "((x)=>", "- ", "a: {", "> ", "&", "!", "f(", "mod m { ", "Vec<", "\"${"]
    {
        let deep = opening.repeat(100_000 / opening.len());
        let pieces = format!("{};\n", opening.repeat(900)).repeat(10);
        for path in PATHS {
            check(path, &deep);
            check(path, &pieces);
        }
    }
}

#[test]
fn nesting_that_closes() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}")] {
        let text = format!("x = {}{};\n", open.repeat(20_000), close.repeat(20_000));
        for path in PATHS {
            check(path, &text);
        }
    }
    let functions = format!("{}{}", "fn f() { ".repeat(10_000), "}".repeat(10_000));
    check("a.rs", &functions);
    let functions = format!("{}{}", "function f(){ ".repeat(10_000), "}".repeat(10_000));
    check("a.js", &functions);
}

#[test]
fn lines_without_end() {
    let word = "word ".repeat(100_000);
    let solid = "x".repeat(500_000);
    let wide = "日".repeat(100_000);
    let spaces = format!("a{}b", " ".repeat(500_000));
    let commas = "a,".repeat(100_000);
    for text in [&word, &solid, &wide, &spaces, &commas] {
        for path in PATHS {
            check(path, text);
        }
    }
}

#[test]
fn five_megabytes_on_one_line() {
    let analysis = analyse("a.js", "x".repeat(5 * 1024 * 1024).as_bytes());
    assert_eq!(analysis.skip, Some(SkipReason::TooLarge));
    assert!(analysis.text.is_empty() && analysis.chunks.is_empty());
    const { assert!(MAX_PARSE_BYTES < 5 * 1024 * 1024) };
}

#[test]
fn a_file_of_the_largest_size_is_within_the_budget() {
    let text = "pub fn f(a: u32) -> u32 { g(a, 1) + h(2) }\n".repeat(MAX_PARSE_BYTES / 44);
    let analysis = analyse("a.rs", text.as_bytes());
    assert_eq!(analysis.parse, ParseQuality::Full);
    assert!(analysis.symbols.len() > 10_000);
}

#[test]
fn what_is_not_text_is_skipped_with_its_reason() {
    let cases: [(&str, &[u8], SkipReason); 6] = [
        ("a.rs", b"", SkipReason::Empty),
        ("a.rs", b" \r\n\t", SkipReason::Empty),
        ("a.rs", b"fn a() {}\0", SkipReason::Binary),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0", SkipReason::Binary),
        ("a.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", SkipReason::LfsPointer),
        ("a.txt", b"\xff\xfe\x00\xd8", SkipReason::InvalidEncoding),
    ];
    for (path, bytes, reason) in cases {
        let analysis = analyse(path, bytes);
        assert_eq!(analysis.skip, Some(reason), "{path}");
        assert!(analysis.chunks.is_empty() && analysis.symbols.is_empty());
        assert!(reason.sentence().ends_with('.') && !reason.as_str().contains(' '));
    }
}

#[test]
fn other_encodings_are_read() {
    let text = "fn größe() {}\n";
    let utf_16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let latin: Vec<u8> =
        text.chars().map(|character| u8::try_from(u32::from(character)).expect("the sample is Latin-1")).collect();
    let with_bom = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for (bytes, encoding) in [(utf_16, "utf-16le"), (latin, "windows-1252"), (with_bom, "utf-8")] {
        let analysis = analyse("a.rs", &bytes);
        assert_eq!((analysis.encoding.as_str(), analysis.text.as_str()), (encoding, text));
        assert_eq!(analysis.symbols.first().map(|symbol| symbol.name.as_str()), Some("größe"));
        assert_eq!(analysis.category, Category::Source);
    }
}

#[test]
fn manifests_do_not_nest_without_end() {
    let cases = [
        ("Cargo.toml", format!("a = {}", "[".repeat(100_000))),
        ("Cargo.toml", format!("a = {}1", "{b=".repeat(50_000))),
        ("Cargo.toml", format!("[{}a]\n", "a.".repeat(50_000))),
        ("pyproject.toml", format!("{}a = 1\n", "a.".repeat(50_000))),
        ("package.json", "[".repeat(100_000)),
        ("package.json", "{\"a\":".repeat(50_000)),
        ("pom.xml", "<a>".repeat(100_000)),
        ("go.mod", "require (\n".repeat(10_000)),
    ];
    for (path, text) in cases {
        let manifest = parse_manifest(path, &text);
        assert!(manifest.is_none_or(|manifest| manifest.dependencies.len() < 10), "{path}");
    }
}

/// What makes single steps of a parser slow is ended by the clock: such a file is plain text, with all its chunks.
#[test]
fn text_that_a_parser_chokes_on_is_plain_text() {
    let text = "-->".repeat(4_096);
    let analysis = analyse("a.rs", text.as_bytes());
    assert_eq!((analysis.skip, analysis.parse), (None, ParseQuality::TimedOut));
    assert!(analysis.symbols.is_empty());
    let whole: usize = analysis.chunks.iter().map(|chunk| chunk.slice(&analysis.text).len()).sum();
    assert_eq!(whole, text.len());
}
