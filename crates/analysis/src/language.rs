//! Which language a file is in, from its path and, failing that, its first line.

use serde::{Deserialize, Serialize};

macro_rules! languages {
    ($($variant:ident $name:literal [$($extension:literal)*])*) => {
        /// A language the analysis knows by name. Those without a grammar are chunked as text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[expect(missing_docs, reason = "each variant is the language's own name")]
        pub enum Language {
            $($variant,)*
        }

        impl Language {
            /// Every language, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name stored in rows and messages, also good after the fence of a Markdown code block.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn of_extension(extension: &str) -> Option<Self> {
                match extension {
                    $($($extension => Some(Self::$variant),)*)*
                    _ => None,
                }
            }
        }
    };
}

languages! {
    Rust "rust" ["rs"]
    Python "python" ["py" "pyi" "pyw"]
    JavaScript "javascript" ["js" "jsx" "mjs" "cjs"]
    TypeScript "typescript" ["ts" "mts" "cts"]
    Tsx "tsx" ["tsx"]
    Go "go" ["go"]
    Java "java" ["java"]
    Markdown "markdown" ["md" "markdown" "mdx" "mkd"]
    Json "json" ["json" "jsonc" "json5" "webmanifest"]
    Yaml "yaml" ["yaml" "yml"]
    Toml "toml" ["toml"]
    C "c" ["c" "h"]
    Cpp "cpp" ["cc" "cpp" "cxx" "hpp" "hh" "hxx" "ipp"]
    CSharp "csharp" ["cs" "csx"]
    ObjectiveC "objectivec" ["m" "mm"]
    Ruby "ruby" ["rb" "rake" "gemspec"]
    Php "php" ["php" "phtml"]
    Swift "swift" ["swift"]
    Kotlin "kotlin" ["kt" "kts"]
    Scala "scala" ["scala" "sc"]
    Groovy "groovy" ["groovy" "gradle"]
    Clojure "clojure" ["clj" "cljs" "cljc" "edn"]
    Dart "dart" ["dart"]
    Elixir "elixir" ["ex" "exs"]
    Erlang "erlang" ["erl" "hrl"]
    Haskell "haskell" ["hs" "lhs"]
    OCaml "ocaml" ["ml" "mli"]
    FSharp "fsharp" ["fs" "fsi" "fsx"]
    Lua "lua" ["lua"]
    Perl "perl" ["pl" "pm"]
    R "r" ["r"]
    Julia "julia" ["jl"]
    Nim "nim" ["nim"]
    Zig "zig" ["zig"]
    Shell "shell" ["sh" "bash" "zsh" "fish" "ksh"]
    PowerShell "powershell" ["ps1" "psm1" "psd1"]
    Batch "batch" ["bat" "cmd"]
    Assembly "assembly" ["s" "asm"]
    Sql "sql" ["sql"]
    GraphQl "graphql" ["graphql" "gql"]
    Protobuf "protobuf" ["proto"]
    Html "html" ["html" "htm" "xhtml"]
    Css "css" ["css"]
    Scss "scss" ["scss" "sass"]
    Less "less" ["less"]
    Vue "vue" ["vue"]
    Svelte "svelte" ["svelte"]
    Xml "xml" ["xml" "xsd" "xsl" "xslt" "plist" "csproj" "fsproj" "vbproj" "props" "targets" "svg"]
    Ini "ini" ["ini" "cfg" "conf" "properties" "env" "editorconfig"]
    Hcl "hcl" ["tf" "tfvars" "hcl"]
    Nix "nix" ["nix"]
    Dockerfile "dockerfile" ["dockerfile"]
    Makefile "makefile" ["mk" "mak"]
    CMake "cmake" ["cmake"]
    Just "just" ["just"]
    Rst "rst" ["rst"]
    AsciiDoc "asciidoc" ["adoc" "asciidoc"]
    Tex "tex" ["tex" "sty" "bib"]
    Csv "csv" ["csv" "tsv"]
    JsonLines "jsonl" ["jsonl" "ndjson"]
    Notebook "notebook" ["ipynb"]
    Diff "diff" ["diff" "patch"]
    Text "text" ["txt" "text" "log"]
}

impl Language {
    /// The language of a file by its path alone; [`Language::Text`] if nothing is known.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        if let Some(language) = of_file_name(&name) {
            return language;
        }
        match name.rsplit_once('.') {
            Some((_, extension)) => Self::of_extension(extension).unwrap_or(Self::Text),
            None => Self::Text,
        }
    }

    /// The language by path or, for a file the path says nothing about, by its `#!` line.
    #[must_use]
    pub(crate) fn detect(path: &str, text: &str) -> Self {
        let language = Self::of_path(path);
        let name = path.rsplit('/').next().unwrap_or(path);
        if language != Self::Text || name.contains('.') {
            return language;
        }
        of_shebang(text).unwrap_or(language)
    }

    /// Whether it is program text (and not documentation, settings or data).
    #[must_use]
    pub fn is_code(self) -> bool {
        !self.is_prose() && !self.is_config() && !matches!(self, Self::Csv | Self::JsonLines | Self::Diff | Self::Text)
    }

    /// Whether it is documentation.
    #[must_use]
    pub fn is_prose(self) -> bool {
        matches!(self, Self::Markdown | Self::Rst | Self::AsciiDoc | Self::Tex)
    }

    /// Whether it holds settings.
    #[must_use]
    pub fn is_config(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Toml | Self::Ini | Self::Xml | Self::Hcl)
    }
}

fn of_file_name(name: &str) -> Option<Language> {
    let language = match name {
        "makefile" | "gnumakefile" => Language::Makefile,
        "dockerfile" | "containerfile" => Language::Dockerfile,
        "justfile" | ".justfile" => Language::Just,
        "cmakelists.txt" => Language::CMake,
        "gemfile" | "rakefile" | "vagrantfile" | "podfile" => Language::Ruby,
        "jenkinsfile" => Language::Groovy,
        "cargo.lock" | "poetry.lock" | "uv.lock" | "pipfile" | "pdm.lock" => Language::Toml,
        "composer.lock" | "pipfile.lock" | "flake.lock" | ".babelrc" | ".eslintrc" | ".prettierrc" => Language::Json,
        "yarn.lock" | "gemfile.lock" | "go.sum" | "go.mod" | "go.work" => Language::Text,
        ".clang-format" | ".clang-tidy" | "pubspec.lock" => Language::Yaml,
        ".env" | ".gitattributes" | ".gitmodules" | ".npmrc" | ".editorconfig" => Language::Ini,
        ".bashrc" | ".profile" | ".zshrc" | "pkgbuild" => Language::Shell,
        _ if name.starts_with("dockerfile.") => Language::Dockerfile,
        _ if name.starts_with("makefile.") => Language::Makefile,
        _ if name.starts_with(".env.") => Language::Ini,
        _ => return None,
    };
    Some(language)
}

fn of_shebang(text: &str) -> Option<Language> {
    let line = text.lines().next()?.strip_prefix("#!")?;
    let mut words = line.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    let interpreter = match program {
        "env" => words.find(|word| !word.starts_with('-') && !word.contains('='))?,
        other => other,
    };
    let bare = interpreter.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    match bare {
        "python" | "pypy" => Some(Language::Python),
        "node" | "nodejs" | "bun" => Some(Language::JavaScript),
        "deno" | "ts-node" | "tsx" => Some(Language::TypeScript),
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" | "ash" => Some(Language::Shell),
        "ruby" => Some(Language::Ruby),
        "perl" => Some(Language::Perl),
        "php" => Some(Language::Php),
        "lua" => Some(Language::Lua),
        "make" => Some(Language::Makefile),
        "just" => Some(Language::Just),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn the_path_decides() {
        let cases = [
            ("src/lib.rs", Language::Rust),
            ("a/b.PY", Language::Python),
            ("x.d.ts", Language::TypeScript),
            ("x.tsx", Language::Tsx),
            ("Makefile", Language::Makefile),
            ("docker/Dockerfile.dev", Language::Dockerfile),
            ("Cargo.lock", Language::Toml),
            ("CMakeLists.txt", Language::CMake),
            ("LICENSE", Language::Text),
            ("", Language::Text),
            ("a.unknown", Language::Text),
        ];
        for (path, language) in cases {
            assert_eq!(Language::of_path(path), language, "{path}");
        }
    }

    #[test]
    fn a_shebang_decides_only_where_the_path_is_silent() {
        let cases = [
            ("bin/run", "#!/usr/bin/env -S python3.12 -u\n", Language::Python),
            ("bin/run", "#!/bin/sh\n", Language::Shell),
            ("bin/run", "#!", Language::Text),
            ("bin/run", "plain", Language::Text),
            ("run.txt", "#!/bin/sh\n", Language::Text),
        ];
        for (path, text, language) in cases {
            assert_eq!(Language::detect(path, text), language, "{path} {text}");
        }
    }

    #[test]
    fn names_are_unique_and_survive_serde() {
        let mut names: Vec<_> = Language::ALL.iter().map(|language| language.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Language::ALL.len());
        for language in Language::ALL {
            let json = serde_json::to_string(language).expect("an enum without data serialises");
            assert_eq!(serde_json::from_str::<Language>(&json).ok(), Some(*language));
        }
    }
}
