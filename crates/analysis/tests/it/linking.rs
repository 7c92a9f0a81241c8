//! Small repositories of each language and the edges that must come out of them, and no others.

use caffeine_analysis::{FileRefs, LinkFile, LinkOutput, analyse, link};

type Input = (Vec<LinkFile>, Vec<FileRefs>);

fn linked(files: &[(&str, &str)]) -> (Input, LinkOutput) {
    let (files, mut mentions): Input =
        files.iter().map(|(path, text)| LinkFile::of(path, analyse(path, text.as_bytes()))).unzip();
    mentions.sort_by(|left, right| left.path.cmp(&right.path));
    let output = link(&files, mentions.clone());
    ((files, mentions), output)
}

/// `kind tier source#symbol -> destination#symbol`, without edges to types, which only repeat imports here.
fn edges(files: &[(&str, &str)]) -> Vec<String> {
    let (_, output) = linked(files);
    let name = |path: &str, symbol: Option<u32>| {
        let (_, text) = files.iter().find(|file| file.0 == path)?;
        let symbol = analyse(path, text.as_bytes()).symbols.into_iter().nth(symbol? as usize);
        symbol.map(|symbol| format!("#{}", symbol.qualified))
    };
    let name = |path: &str, symbol: Option<u32>| name(path, symbol).unwrap_or_default();
    let wanted = output.edges.iter().filter(|edge| edge.kind.as_str() != "type");
    wanted
        .map(|edge| {
            let (src, dst) = (output.path(edge.src), output.path(edge.dst));
            let (from, to) = (name(src, edge.src_symbol), name(dst, edge.dst_symbol));
            format!("{} {} {src}{from} -> {dst}{to}", edge.kind.as_str(), edge.tier)
        })
        .collect()
}

fn externals(files: &[(&str, &str)]) -> Vec<(String, u32)> {
    linked(files).1.externals.into_iter().map(|external| (external.package, external.count)).collect()
}

#[test]
fn rust() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("crates/a/Cargo.toml", "[package]\nname = \"my-a\"\n"),
        (
            "crates/a/src/lib.rs",
            "pub mod deep;\nmod util;\npub use util::helper;\npub struct Foo;\nimpl Foo { pub fn new() -> Self { Self::inner(); util::helper(); Foo }\n fn inner() {} }\n",
        ),
        ("crates/a/src/util.rs", "pub fn helper() { super::deep::leaf::grow(); }\n"),
        ("crates/a/src/deep/mod.rs", "pub mod leaf;\n"),
        (
            "crates/a/src/deep/leaf.rs",
            "use crate::Foo;\npub fn grow() { Foo::new(); missing(); let helper = 1; helper(); }\n",
        ),
        ("crates/b/Cargo.toml", "[package]\nname = \"b\"\n"),
        (
            "crates/b/src/main.rs",
            "use my_a::{Foo, helper};\nuse serde::{Serialize, Deserialize};\nuse std::fmt;\nfn main() { helper(); Foo::new(); my_a::deep::leaf::grow(); format!(\"{}\", helper()); }\n",
        ),
        ("crates/b/tests/it/main.rs", "mod common;\nfn test() { common::set_up(); }\n"),
        ("crates/b/tests/it/common.rs", "pub fn set_up() {}\n"),
    ];
    assert_eq!(
        edges(&files),
        [
            "import 2 crates/a/src/deep/leaf.rs -> crates/a/src/lib.rs#Foo",
            "call 5 crates/a/src/deep/leaf.rs#grow -> crates/a/src/lib.rs#Foo::new",
            "import 2 crates/a/src/deep/mod.rs -> crates/a/src/deep/leaf.rs",
            "import 2 crates/a/src/lib.rs -> crates/a/src/deep/mod.rs",
            "import 2 crates/a/src/lib.rs -> crates/a/src/util.rs",
            "import 2 crates/a/src/lib.rs -> crates/a/src/util.rs#helper",
            "call 4 crates/a/src/lib.rs#Foo::new -> crates/a/src/lib.rs#Foo::inner",
            "call 3 crates/a/src/lib.rs#Foo::new -> crates/a/src/util.rs#helper",
            "call 3 crates/a/src/util.rs#helper -> crates/a/src/deep/leaf.rs#grow",
            "import 2 crates/b/src/main.rs -> crates/a/src/lib.rs#Foo",
            "import 2 crates/b/src/main.rs -> crates/a/src/util.rs#helper",
            "call 3 crates/b/src/main.rs#main -> crates/a/src/deep/leaf.rs#grow",
            "call 5 crates/b/src/main.rs#main -> crates/a/src/lib.rs#Foo::new",
            "call 2 crates/b/src/main.rs#main -> crates/a/src/util.rs#helper",
            "import 2 crates/b/tests/it/main.rs -> crates/b/tests/it/common.rs",
            "call 3 crates/b/tests/it/main.rs#test -> crates/b/tests/it/common.rs#set_up",
        ]
    );
    assert_eq!(externals(&files), [("serde".to_owned(), 1)]);
}

#[test]
fn rust_packages_are_those_that_manifests_name() {
    let uses = "use async_nats::jetstream;\nuse jetstream::Context;\nuse imp::Thing;\nuse std::fmt;\nuse alloc::vec::Vec;\nuse old::Renamed;\nuse sub::x::Y;\n";
    let cargo = "[package]\nname = \"a\"\n[dependencies]\nasync-nats = \"1\"\nold = { package = \"new-one\", version = \"1\" }\n";
    let member = "[package]\nname = \"b\"\n[dev-dependencies]\nsub = \"1\"\n";
    let names = |files: &[(&str, &str)]| externals(files).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let declared = [("Cargo.toml", cargo), ("b/Cargo.toml", member), ("src/lib.rs", uses)];
    assert_eq!(names(&declared), ["async-nats", "new-one", "sub"]);
    // Without a manifest the code is all there is to go by.
    let alone = [("Cargo.toml", "[package]\nname = \"a\"\n"), ("src/lib.rs", uses)];
    assert_eq!(names(&alone), ["async_nats", "imp", "jetstream", "old", "sub"]);
}

#[test]
fn rust_traits_and_globs() {
    let files = [
        ("src/lib.rs", "mod shape;\nmod square;\n"),
        (
            "src/shape.rs",
            "pub trait Shape { fn area(&self) -> u32; fn twice(&self) -> u32 { self.area() } }\npub enum Kind { A(u8) }\n",
        ),
        (
            "src/square.rs",
            "use super::shape::*;\npub struct Square;\nimpl Shape for Square { fn area(&self) -> u32 { self.twice(); Kind::A(1); 1 } }\n",
        ),
    ];
    assert_eq!(
        edges(&files),
        [
            "import 2 src/lib.rs -> src/shape.rs",
            "import 2 src/lib.rs -> src/square.rs",
            "call 4 src/shape.rs#Shape::twice -> src/shape.rs#Shape::area",
            "import 2 src/square.rs -> src/shape.rs",
            "implements 2 src/square.rs#Shape for Square -> src/shape.rs#Shape",
            "call 4 src/square.rs#Square::area -> src/shape.rs#Shape::twice",
            "call 5 src/square.rs#Square::area -> src/shape.rs#Kind::A",
        ]
    );
}

#[test]
fn python() {
    let files = [
        ("pyproject.toml", "[project]\nname = \"app\"\n"),
        ("src/app/__init__.py", "from .core import Engine as Motor\n"),
        (
            "src/app/core.py",
            "from .base import Base\nimport os\nimport numpy as np\n\nclass Engine(Base):\n    def run(self):\n        self.start()\n        helper()\n        os.getcwd()\n\ndef helper(helper2=None):\n    helper2()\n",
        ),
        ("src/app/base.py", "class Base:\n    def start(self): pass\n"),
        (
            "tests/test_app.py",
            "from app import Motor\nimport app.core\nfrom app import base\nimport requests\n\ndef test():\n    Motor()\n    app.core.helper()\n    base.Base()\n    unknown()\n",
        ),
    ];
    assert_eq!(
        edges(&files),
        [
            "import 2 src/app/__init__.py -> src/app/core.py#Engine",
            "import 2 src/app/core.py -> src/app/base.py#Base",
            "extends 2 src/app/core.py#Engine -> src/app/base.py#Base",
            "call 4 src/app/core.py#Engine.run -> src/app/base.py#Base.start",
            "call 1 src/app/core.py#Engine.run -> src/app/core.py#helper",
            "import 2 tests/test_app.py -> src/app/base.py",
            "import 2 tests/test_app.py -> src/app/core.py",
            "import 2 tests/test_app.py -> src/app/core.py#Engine",
            "call 3 tests/test_app.py#test -> src/app/base.py#Base",
            "call 2 tests/test_app.py#test -> src/app/core.py#Engine",
            "call 3 tests/test_app.py#test -> src/app/core.py#helper",
        ]
    );
    assert_eq!(externals(&files), [("numpy".to_owned(), 1), ("requests".to_owned(), 1)]);
}

#[test]
fn typescript() {
    let files = [
        ("packages/core/package.json", "{ \"name\": \"@acme/core\", \"main\": \"dist/index.js\" }"),
        ("packages/core/src/index.ts", "export * from './shape.js';\nexport { default as Tool } from \"./tool\";\n"),
        (
            "packages/core/src/shape.ts",
            "export interface HasArea { area(): number }\nexport class Shape implements HasArea { area() { return this.scale(); } scale() { return 1; } }\nfunction hidden() {}\n",
        ),
        (
            "packages/core/src/tool/index.ts",
            "import * as shapes from '../shape';\nexport default class Tool { make() { return new shapes.Shape(); } static of() {} }\n",
        ),
        (
            "packages/app/main.ts",
            "import { Shape, Tool as T } from '@acme/core';\nimport fs from 'node:fs';\nimport { z } from 'zod/v4';\nimport x from '@scope/pkg/sub';\nclass Square extends Shape { area() { return super.area(); } }\nfunction run(z2: Shape) { new Square(); T.of(); z2.area(); hidden(); }\n",
        ),
        ("packages/app/old.js", "const core = require('./main');\nconst { run } = require('./main');\nrun();\n"),
    ];
    assert_eq!(
        edges(&files),
        [
            "import 2 packages/app/main.ts -> packages/core/src/shape.ts#Shape",
            "import 2 packages/app/main.ts -> packages/core/src/tool/index.ts#Tool",
            "extends 2 packages/app/main.ts#Square -> packages/core/src/shape.ts#Shape",
            "call 4 packages/app/main.ts#Square.area -> packages/core/src/shape.ts#Shape.area",
            "call 1 packages/app/main.ts#run -> packages/app/main.ts#Square",
            "call 5 packages/app/main.ts#run -> packages/core/src/tool/index.ts#Tool.of",
            "import 2 packages/app/old.js -> packages/app/main.ts",
            "import 2 packages/app/old.js -> packages/app/main.ts#run",
            "call 2 packages/app/old.js -> packages/app/main.ts#run",
            "import 2 packages/core/src/index.ts -> packages/core/src/shape.ts",
            "import 2 packages/core/src/index.ts -> packages/core/src/tool/index.ts#Tool",
            "implements 1 packages/core/src/shape.ts#Shape -> packages/core/src/shape.ts#HasArea",
            "call 4 packages/core/src/shape.ts#Shape.area -> packages/core/src/shape.ts#Shape.scale",
            "import 2 packages/core/src/tool/index.ts -> packages/core/src/shape.ts",
            "call 3 packages/core/src/tool/index.ts#Tool.make -> packages/core/src/shape.ts#Shape",
        ]
    );
    assert_eq!(externals(&files), [("@scope/pkg".to_owned(), 1), ("zod".to_owned(), 1)]);
}

#[test]
fn go() {
    let files = [
        ("go.mod", "module example.org/m\n"),
        (
            "main.go",
            "package main\n\nimport (\n\t\"fmt\"\n\tst \"example.org/m/store\"\n\t\"github.com/a/b/c\"\n)\n\nfunc main() { s := st.Open(); s.Close(); fmt.Println(); helper(); b.X() }\n",
        ),
        ("helper.go", "package main\n\nfunc helper() {}\n"),
        ("store/store.go", "package store\n\n// Open opens.\nfunc Open() *Store { return &Store{} }\n"),
        (
            "store/type.go",
            "package store\n\ntype base struct{}\n\nfunc (b *base) flush() {}\n\ntype Store struct { base }\n\nfunc (s *Store) Close() { s.sync(); s.flush() }\n",
        ),
        ("store/sync.go", "package store\n\nfunc (s *Store) sync() {}\n"),
    ];
    assert_eq!(
        edges(&files),
        [
            "import 2 main.go -> store/store.go",
            "call 1 main.go#main -> helper.go#helper",
            "call 3 main.go#main -> store/store.go#Open",
            "extends 1 store/type.go#Store -> store/type.go#base",
            "call 4 store/type.go#Store.Close -> store/sync.go#Store.sync",
            "call 4 store/type.go#Store.Close -> store/type.go#base.flush",
        ]
    );
    assert_eq!(externals(&files), [("github.com/a/b".to_owned(), 1)]);
}

#[test]
fn go_packages_are_modules() {
    let imports = "package main\n\nimport (\n\t\"golang.org/x/crypto/ssh\"\n\t\"github.com/tdewolff/minify/v2/html\"\n\t\"example.com/deep/er/sub/pkg\"\n\t\"github.com/a/b/c\"\n\t\"github.com/a/b/verb\"\n\t\"gopkg.in/yaml.v3\"\n\t\"example.com/deeper\"\n)\n";
    let counted =
        |names: &[(&str, u32)]| names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
    let module = "module example.org/m\nrequire (\n\tgithub.com/tdewolff/minify/v2 v2.1.0\n\texample.com/deep v1.0.0\n\texample.com/deep/er/sub v1.0.0\n)\n";
    let expected = [
        ("example.com/deep/er/sub", 1),
        ("example.com/deeper", 1),
        ("github.com/a/b", 2),
        ("github.com/tdewolff/minify/v2", 1),
        ("golang.org/x/crypto", 1),
        ("gopkg.in/yaml.v3", 1),
    ];
    assert_eq!(externals(&[("go.mod", module), ("main.go", imports)]), counted(&expected));
    let expected = [
        ("example.com/deep", 1),
        ("example.com/deeper", 1),
        ("github.com/a/b", 2),
        ("github.com/tdewolff/minify/v2", 1),
        ("golang.org/x/crypto", 1),
        ("gopkg.in/yaml.v3", 1),
    ];
    assert_eq!(externals(&[("main.go", imports)]), counted(&expected));
}

#[test]
fn java() {
    let files = [
        (
            "src/com/acme/App.java",
            "package com.acme;\n\nimport com.acme.util.Strings;\nimport static com.acme.util.Strings.join;\nimport java.util.List;\nimport org.junit.jupiter.api.Test;\n\npublic class App extends Base {\n  void run() { start(); join(); Strings.trim(); new Helper(); other.go(); this.stop(); }\n  void stop() {}\n}\n",
        ),
        ("src/com/acme/Base.java", "package com.acme;\n\nclass Base { void start() {} }\n"),
        ("src/com/acme/Helper.java", "package com.acme;\n\nclass Helper {}\n"),
        (
            "src/com/acme/util/Strings.java",
            "package com.acme.util;\n\npublic class Strings { public static String join() { return null; } public static String trim() { return null; } }\n",
        ),
    ];
    assert_eq!(
        edges(&files),
        [
            "import 2 src/com/acme/App.java -> src/com/acme/util/Strings.java#Strings",
            "import 2 src/com/acme/App.java -> src/com/acme/util/Strings.java#Strings.join",
            "extends 1 src/com/acme/App.java#App -> src/com/acme/Base.java#Base",
            "call 4 src/com/acme/App.java#App.run -> src/com/acme/App.java#App.stop",
            "call 4 src/com/acme/App.java#App.run -> src/com/acme/Base.java#Base.start",
            "call 1 src/com/acme/App.java#App.run -> src/com/acme/Helper.java#Helper",
            "call 2 src/com/acme/App.java#App.run -> src/com/acme/util/Strings.java#Strings.join",
            "call 5 src/com/acme/App.java#App.run -> src/com/acme/util/Strings.java#Strings.trim",
        ]
    );
    assert_eq!(externals(&files), [("org.junit.jupiter".to_owned(), 1)]);
}

#[test]
fn modules_are_directories() {
    let files = [
        ("README.md", "# R\n"),
        ("src/a/b/x.py", "from ..c.y import f\nf()\n"),
        ("src/a/c/y.py", "def f(): pass\n"),
        ("src/a-b/z.py", ""),
        ("src/a/b", "a file of that name elsewhere"),
    ];
    let (_, output) = linked(&files);
    let modules: Vec<_> = output
        .modules
        .iter()
        .map(|module| (module.slug.as_str(), module.parent.as_deref(), module.path.as_str(), module.files.len()))
        .collect();
    assert_eq!(
        modules,
        [
            ("root", None, "", 1),
            ("src-a", Some("root"), "src/a", 1),
            ("src-a-b", Some("root"), "src/a-b", 1),
            ("src-a-b-2", Some("src-a"), "src/a/b", 1),
            ("src-a-c", Some("src-a"), "src/a/c", 1),
        ]
    );
}

#[test]
fn ranks_sum_to_one_and_follow_use() {
    let files = [
        ("core.py", "def f(): pass\n"),
        ("a.py", "from core import f\nf()\n"),
        ("b.py", "from core import f\nf()\n"),
        ("tests/test_a.py", "from a import x\n"),
    ];
    let (_, output) = linked(&files);
    let sum: f64 = output.file_ranks.iter().map(|(_, rank)| rank).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    let best = output.file_ranks.iter().max_by(|left, right| left.1.total_cmp(&right.1));
    assert_eq!(best.map(|(path, _)| path.as_str()), Some("core.py"));
    assert_eq!(linked(&[]).1, LinkOutput::default());
}

#[test]
fn order_of_the_input_does_not_matter() {
    let files = [("b.py", "from a import f\nf()\n"), ("a.py", "def f(): pass\n"), ("a.py", "def other(): pass\n")];
    let ((mut input, mentions), output) = linked(&files);
    assert_eq!(output.file_ranks.len(), 2);
    input.swap(0, 1);
    assert_eq!(link(&input, mentions), output);
}
