//! What a file is for, from its path and the first lines of its text.

use serde::{Deserialize, Serialize};

use crate::Language;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The program itself.
    Source,
    /// Tests, benchmarks and fuzz targets, and what they need.
    Test,
    /// Written for people.
    Docs,
    /// Settings, manifests, build and CI files.
    Config,
    /// Data.
    Data,
    /// Written by a program; symbols, but no chunks.
    Generated,
    /// Somebody else's code, copied in; symbols, but no chunks.
    Vendored,
}

impl Category {
    /// The stable name stored in rows and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Test => "test",
            Self::Docs => "docs",
            Self::Config => "config",
            Self::Data => "data",
            Self::Generated => "generated",
            Self::Vendored => "vendored",
        }
    }

    /// Whether files of this category are cut into chunks.
    #[must_use]
    pub fn has_chunks(self) -> bool {
        !matches!(self, Self::Generated | Self::Vendored)
    }

    pub(crate) fn of(path: &str, language: Language, text: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
        let in_folder = |names: &[&str]| folders.split('/').any(|folder| names.contains(&folder));

        if in_folder(VENDOR_FOLDERS) {
            return Self::Vendored;
        }
        if in_folder(GENERATED_FOLDERS) || is_generated_name(name) || has_generated_marker(text) {
            return Self::Generated;
        }
        let original = path.rsplit('/').next().unwrap_or(path);
        let is_specified = in_folder(SPEC_FOLDERS) && is_program(language);
        if in_folder(TEST_FOLDERS) || is_specified || is_test_name(name, original, language) {
            return Self::Test;
        }
        if language.is_prose() || is_docs_name(name) {
            return Self::Docs;
        }
        match language {
            _ if is_catalogue(folders, name) => Self::Data,
            Language::Csv | Language::JsonLines | Language::Diff => Self::Data,
            Language::Xml if name.ends_with(".svg") => Self::Data,
            Language::Json | Language::Xml if in_folder(DATA_FOLDERS) => Self::Data,
            _ if language.is_config() || is_config_name(name) => Self::Config,
            Language::Makefile | Language::CMake | Language::Just | Language::Dockerfile => Self::Config,
            Language::Text if in_folder(&["docs", "doc"]) || name.ends_with(".txt") => Self::Docs,
            Language::Text => Self::Data,
            _ => Self::Source,
        }
    }
}

const VENDOR_FOLDERS: &[&str] =
    &["vendor", "vendored", "node_modules", "third_party", "third-party", "thirdparty", "bower_components", "godeps"];

const TEST_FOLDERS: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "__mocks__",
    "__snapshots__",
    "snapshots",
    "testdata",
    "test-data",
    "test_data",
    "fixtures",
    "e2e",
    "benches",
    "benchmarks",
    "fuzz",
    "fuzz_targets",
];

/// What sqlx writes of its statements.
const GENERATED_FOLDERS: &[&str] = &[".sqlx"];

/// Folders of catalogues: what a program says, by language.
const CATALOGUE_FOLDERS: &[&str] = &["i18n", "l10n", "locale", "locales", "translations"];

/// Tests of Ruby, JavaScript and others, if they are program text: specifications are kept there too.
const SPEC_FOLDERS: &[&str] = &["spec", "specs"];

const DATA_FOLDERS: &[&str] = &["data", "dataset", "datasets", "assets", "locales", "i18n"];

const LOCK_FILES: &[&str] = &[
    "cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pipfile.lock",
    "gemfile.lock",
    "composer.lock",
    "go.sum",
    "flake.lock",
    "pubspec.lock",
    "mix.lock",
    "bun.lock",
];

const GENERATED_ENDINGS: &[&str] = &[
    ".pb.go",
    ".pb.rs",
    ".pb.cc",
    ".pb.h",
    "_pb2.py",
    "_pb2.pyi",
    "_pb2_grpc.py",
    "_pb.js",
    "_pb.ts",
    ".g.dart",
    ".g.cs",
    ".freezed.dart",
    ".designer.cs",
    ".min.js",
    ".min.css",
    ".min.mjs",
    ".js.map",
    ".css.map",
];

fn is_generated_name(name: &str) -> bool {
    LOCK_FILES.contains(&name)
        || GENERATED_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || name.contains(".generated.")
        || name.starts_with("zz_generated")
}

/// Only a comment near the top counts: a program that writes such markers contains them too.
fn has_generated_marker(text: &str) -> bool {
    text.lines().take(20).any(|line| {
        let line = line.trim_start();
        let is_comment = ["//", "#", "/*", "*", "<!--", "--", ";", "\"\"\""].iter().any(|mark| line.starts_with(mark));
        is_comment
            && (line.contains("@generated")
                || (line.contains("ode generated") && line.contains("DO NOT EDIT"))
                || line.contains("<auto-generated"))
    })
}

fn is_program(language: Language) -> bool {
    !language.is_prose()
        && !language.is_config()
        && !matches!(language, Language::Text | Language::Csv | Language::JsonLines | Language::Diff | Language::Xml)
}

/// What test runners look for. A beginning with `test_` says so only where a runner collects files by it; elsewhere
/// `test_connection.rs` may well be the program.
fn is_test_name(name: &str, original: &str, language: Language) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let ending = name.rsplit('.').next().unwrap_or_default();
    let is_python = matches!(ending, "py" | "pyi" | "pyx");
    let has_spec = matches!(ending, "rb" | "lua" | "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts");
    let has_prefix =
        is_python || matches!(ending, "rb" | "c" | "cc" | "cpp" | "cxx" | "lua" | "sh" | "bash" | "jl" | "r");
    is_program(language) && (stem.ends_with("_test") || stem.ends_with("_tests"))
        || has_spec && (stem.ends_with("_spec") || name.contains(".spec."))
        || has_prefix && stem.starts_with("test_")
        || is_python && matches!(stem, "conftest" | "tests")
        || ending == "rs" && stem == "tests"
        || name.contains(".test.")
        || is_test_class(original)
}

/// `FooTest.java` and its like, but not `Latest.java`: a class is known by its capitals.
fn is_test_class(name: &str) -> bool {
    let Some((stem, ending)) = name.split_once('.') else { return false };
    let has_classes = matches!(ending, "java" | "kt" | "kts" | "scala" | "groovy" | "cs" | "php" | "swift");
    let begins =
        |word: &str| stem.strip_prefix(word).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    has_classes
        && (["Test", "Tests", "TestCase", "Spec", "IT"].iter().any(|end| stem.len() > end.len() && stem.ends_with(end))
            || begins("Test"))
}

/// `i18n/de.ts`, `locales/pt-BR/common.json`: named after a language, in a folder of catalogues. A question in that
/// language would find its words there and nowhere else.
fn is_catalogue(folders: &str, name: &str) -> bool {
    let is_language = |word: &str| {
        let (language, region) = word.split_once(['-', '_']).unwrap_or((word, "xx"));
        language.len() == 2
            && (region.len() == 2 || region.len() == 4)
            && word.bytes().all(|byte| !byte.is_ascii_digit())
    };
    let mut inside = folders.split('/').skip_while(|folder| !CATALOGUE_FOLDERS.contains(folder));
    inside.next().is_some() && inside.chain(name.split('.').next()).any(is_language)
}

fn is_docs_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let known = [
        "readme",
        "license",
        "licence",
        "copying",
        "changelog",
        "contributing",
        "authors",
        "notice",
        "security",
        "history",
    ];
    known.contains(&stem) || known.iter().any(|word| name.starts_with(&format!("{word}-")))
}

fn is_config_name(name: &str) -> bool {
    matches!(name, "go.mod" | "go.work" | "codeowners" | "procfile" | "requirements.txt" | "manifest.in" | "setup.cfg")
        || (name.starts_with("requirements") && name.ends_with(".txt"))
        || (name.starts_with('.') && (name.ends_with("ignore") || name.ends_with("rc")))
}

#[cfg(test)]
mod tests {
    use super::Category;
    use crate::Language;

    #[test]
    fn path_and_markers_decide() {
        let cases = [
            ("src/lib.rs", "", Category::Source),
            ("tests/it/main.rs", "", Category::Test),
            ("pkg/a_test.go", "", Category::Test),
            ("src/a.spec.ts", "", Category::Test),
            ("src/FooTest.java", "", Category::Test),
            ("contest/latest.rs", "", Category::Source),
            ("services/cloner/src/test_connection.rs", "", Category::Source),
            ("src/api/test_runs.ts", "", Category::Source),
            ("pkg/test_plan.go", "", Category::Source),
            ("src/Latest.java", "", Category::Source),
            ("src/Testament.java", "", Category::Source),
            ("src/TestQueue.java", "", Category::Test),
            ("src/QueueIT.java", "", Category::Test),
            ("src/QueueTests.cs", "", Category::Test),
            ("src/openapi_spec.rs", "", Category::Source),
            ("src/page_tests.rs", "", Category::Test),
            ("src/tests.rs", "", Category::Test),
            ("app/test_foo.py", "", Category::Test),
            ("app/foo_test.py", "", Category::Test),
            ("app/conftest.py", "", Category::Test),
            ("app/contest.py", "", Category::Source),
            ("web/foo.test.ts", "", Category::Test),
            ("spec/foo_spec.rb", "", Category::Test),
            ("spec/helper.js", "", Category::Test),
            ("spec/protocol.md", "", Category::Docs),
            ("spec/openapi.yaml", "", Category::Config),
            ("fuzz/Cargo.toml", "", Category::Test),
            ("benches/queue.rs", "", Category::Test),
            ("a/benchmarks/queue.py", "", Category::Test),
            ("vendor/a/b.go", "", Category::Vendored),
            ("web/node_modules/a/test/b.js", "", Category::Vendored),
            ("api/a.pb.go", "", Category::Generated),
            ("Cargo.lock", "", Category::Generated),
            ("a.go", "// Code generated by x. DO NOT EDIT.\npackage a\n", Category::Generated),
            ("a.rs", "fn f() { g(\"@generated\") }\n", Category::Source),
            ("README.md", "", Category::Docs),
            ("LICENSE", "", Category::Docs),
            ("Cargo.toml", "", Category::Config),
            ("Makefile", "", Category::Config),
            ("go.mod", "", Category::Config),
            ("assets/logo.svg", "", Category::Data),
            ("rows.csv", "", Category::Data),
            (".sqlx/query-1.json", "", Category::Generated),
            ("src/snapshots/page.snap", "", Category::Test),
            ("src/snapshot.rs", "", Category::Source),
            ("web/src/i18n/de.ts", "", Category::Data),
            ("locales/pt-BR/common.json", "", Category::Data),
            ("app/translations/zh_Hans.yml", "", Category::Data),
            ("src/lang/go.rs", "", Category::Source),
            ("web/src/i18n/index.ts", "", Category::Source),
            ("web/src/de.ts", "", Category::Source),
            ("crates/i18n/src/lib.rs", "", Category::Source),
        ];
        for (path, text, category) in cases {
            assert_eq!(Category::of(path, Language::of_path(path), text), category, "{path}");
        }
    }
}
