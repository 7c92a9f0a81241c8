//! A repository that holds everything a repository should not hold, and what the report must say of it.

use caffeine_testkit::git::{Entry, GitFixture};

/// What the report must list: the path as the page shows it, the reason, the size in bytes.
pub(crate) const SKIPPED: [(&str, &str, &str); 23] = [
    ("`big.txt`", "too large", "20,971,520"),
    ("`just-too-large.rs`", "too large", "786,433"),
    ("`link-out`", "symlink", "15"),
    ("`link-here`", "symlink", "10"),
    ("`vendor/other`", "submodule", "0"),
    ("`logo.png`", "binary", "16"),
    ("`nul.c`", "binary", "14"),
    ("`empty.rs`", "empty", "0"),
    ("`blank.py`", "empty", "4"),
    ("`asset.psd`", "lfs pointer", "58"),
    ("`app.min.js`", "minified", "6,000"),
    ("`half.txt`", "invalid encoding", "6"),
    ("`bytes/\u{fffd}\u{fffd}.rs`", "bad path", "12"),
    ("`climb/..\u{fffd}/..\u{fffd}/etc/passwd`", "bad path", "12"),
    ("`climb/.\u{fffd}/x.rs`", "bad path", "12"),
    ("`nested/.git\u{fffd}/config`", "bad path", "12"),
    ("`nested/.GIT\u{fffd}/hooks/post-checkout`", "bad path", "12"),
    ("`new\u{fffd}line.rs`", "bad path", "12"),
    ("`back\u{fffd}slash.rs`", "bad path", "12"),
    ("`twice~891d3602`", "bad path", "12"),
    ("`with/slash`", "bad path", "12"),
    ("`..\u{fffd}`", "bad path", "12"),
    ("`.git\u{fffd}`", "bad path", "12"),
];

/// Paths that keep the rules and are hostile all the same: these are analysed and cited.
pub(crate) const HOSTILE_PATHS: [&str; 14] = [
    "<img src=x onerror=alert(1)>.rs",
    "](javascript:alert(1)).rs",
    "`ticks` ``more``.rs",
    "a|b|c.rs",
    "evil\u{202e}sr.exe.rs",
    "zero\u{200b}width.rs",
    "%2e%2e%2fescape.rs",
    "#fragment?query=1.rs",
    "&lt;b&gt; \"quotes\" 'too'.rs",
    "-rf *.rs",
    "größe 日本.rs",
    "[x](evil.example)/<script>/mod.rs",
    "sources/index.md/lib.rs",
    "www.evil.example @all.rs",
];

const ITEM: &str = "pub fn x(){}";

/// Makes the repository.
pub(crate) fn repository() -> GitFixture {
    let mut git = GitFixture::empty();
    let file = |content: &str| Entry::file(content);
    let mut entries: Vec<(Vec<u8>, Entry)> = [
        ("big.txt", Entry::file("20 MB of text.. ".repeat(20 * 1024 * 64))),
        ("just-too-large.rs", Entry::file(vec![b'x'; 768 * 1024 + 1])),
        ("link-out", Entry::Symlink(b"../../etc/passw".to_vec())),
        ("link-here", Entry::Symlink(b"src/lib.rs".to_vec())),
        ("vendor/other", Entry::Submodule("1111111111111111111111111111111111111111".to_owned())),
        ("logo.png", Entry::file(&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..])),
        ("nul.c", Entry::file(&b"int main;\n\0\0\0\n"[..])),
        ("empty.rs", file("")),
        ("blank.py", file(" \n\t\n")),
        ("asset.psd", file("version https://git-lfs.github.com/spec/v1\noid sha256:00\n\n")),
        ("app.min.js", file(&"x".repeat(6_000))),
        ("half.txt", Entry::file(&b"\xff\xfe\x00\xd8a\0"[..])),
        ("climb/../../etc/passwd", file(ITEM)),
        ("climb/./x.rs", file(ITEM)),
        ("nested/.git/config", file(ITEM)),
        ("nested/.GIT/hooks/post-checkout", file(ITEM)),
        ("new\nline.rs", file(ITEM)),
        ("back\\slash.rs", file(ITEM)),
        // Not UTF-8, and guessed: it is analysed.
        ("src/latin.rs", Entry::file(&b"/// Sch\xf6ne Gr\xfc\xdfe.\npub fn gruss() {}\n"[..])),
        ("src/broken.rs", file("pub fn broken( {{{{ \"never closed\n/* nor this\n")),
        ("src/lib.rs", file(LIB_RS)),
        ("src/evil.py", file(EVIL_PY)),
        ("src/evil.ts", file(EVIL_TS)),
        ("README.md", file(README)),
        ("Cargo.toml", file(CARGO_TOML)),
    ]
    .into_iter()
    .map(|(path, entry)| (path.as_bytes().to_vec(), entry))
    .collect();
    entries.push((b"bytes/\xff\xfe.rs".to_vec(), file(ITEM)));
    entries.push((format!("{}deep.rs", "d/".repeat(70)).into_bytes(), file(ITEM)));
    entries.push((format!("long/{}.rs", "n".repeat(2_000)).into_bytes(), file(ITEM)));
    for (number, path) in HOSTILE_PATHS.iter().enumerate() {
        let content = format!("/// Hostile number {number}.\npub fn hostile_{number}() {{}}\n");
        entries.push((path.as_bytes().to_vec(), Entry::file(content)));
    }
    git.commit("Everything odd", entries);

    // Entries that git itself would not write stand beside the others.
    let listing = git.git(&["ls-tree", "-z", "HEAD"]);
    let blob = git.blob(ITEM.as_bytes());
    let mut tree: Vec<(&str, &[u8], &str)> = listing
        .split_terminator('\0')
        .map(|entry| {
            let (meta, name) = entry.split_once('\t').expect("a listing has tabs");
            let mut words = meta.split(' ');
            let (mode, _, id) = (words.next(), words.next(), words.next());
            let mode = mode.expect("a listing has modes").trim_start_matches('0');
            (mode, name.as_bytes(), id.expect("a listing has ids"))
        })
        .collect();
    for name in [&b"twice"[..], b"twice", b"with/slash", b"..", b".git"] {
        tree.push(("100644", name, &blob));
    }
    git.commit_raw_tree("Entries that git would not write", &tree);
    git
}

const README: &str = "# <img src=x onerror=alert(1)> | `title`

Odd <b>things</b> [click](javascript:alert(1)) ![pixel](https://evil.example/p.png) https://evil.example and
<script>alert(1)</script> | a | b | \u{202e}desrever [ref][ref]

[ref]: https://evil.example
";

const CARGO_TOML: &str = r#"[package]
name = "<b>odd</b>"
version = "1](javascript:alert(1))"
description = "| cells | `ticks` <img src=x onerror=alert(1)> https://evil.example"

[[bin]]
name = "[run](https://evil.example)"
path = "src/lib.rs"

[dependencies]
"<i>serde</i>" = "1"
"#;

const LIB_RS: &str = "//! <script>alert(1)</script> ![pixel](https://evil.example/p.png) [click](javascript:alert(1))
//!
//! [ref]: https://evil.example

/// </td></tr><img src=x onerror=alert(1)> | a | b |
/// <!-- never closed
/// ```
/// never closed either <https://evil.example> \u{202e}txt.exe
pub fn doc_comment<T>(a: &str) -> Option<T> {
    None
}

/// # Not a heading
///
/// - [ ] not a task
/// [^1]: not a note
pub struct Hostile {
    /// `](https://evil.example)`
    pub field: [u8; 3],
}

/// [x]: https://evil.example
pub const TEXT: &str = \"``` </code> <b> | [y](javascript:alert(1))\";
";

const EVIL_PY: &str = r#""""<svg onload=alert(1)> ~~~ ``` [a](data:text/html,x)"""


def evil(a="<img src=x>", b="](javascript:alert(1)) | ```"):
    """<iframe src="https://evil.example"></iframe>

    ```
    [never](https://closed.example)
    """
    return a
"#;

const EVIL_TS: &str = "/** <style>*{display:none}</style> [z](vbscript:x) */
export function templ(a: string = `</code>${1}|`): string {
    return a;
}
";
