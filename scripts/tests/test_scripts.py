"""Tests of the scripts: python3 -m unittest discover scripts/tests"""

from __future__ import annotations

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent


def run(script: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class CheckDocs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.docs = self.root / "docs"
        (self.docs / "sub").mkdir(parents=True)
        self.repo = self.root / "repo"
        (self.repo / "dir with space").mkdir(parents=True)
        (self.repo / "a.rs").write_text("one\ntwo\nthree")
        (self.repo / "dir with space" / "[é] (x).ts").write_text("1\n2\n")
        (self.repo / "empty").write_text("")
        (self.repo / "tick`.md").write_text("x\n")
        git(self.repo, "init", "-q")
        git(self.repo, "add", ".")
        git(self.repo, "commit", "-qm", "one")
        (self.docs / "sub" / "other.md").write_text('# Other page\n\n<a id="own"></a>\n\n## Twice\n\n## Twice\n')
        (self.docs / "with space.md").write_text("# `code` & *more*: a_b!\n")

    def check(self, text: str) -> tuple[int, list[str]]:
        (self.docs / "README.md").write_text(text)
        done = run("check-docs", self.docs, "--repo", self.repo / ".git", "--commit", "HEAD")
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertRegex(lines[-1], r"^3 files, \d+ links, \d+ citations, \d+ broken$")
        self.summary = lines[-1]
        return done.returncode, lines[:-1]

    def test_what_is_in_order(self):
        code, broken = self.check(
            "# Start\n"
            "[a](sub/other.md) [b](sub/other.md#own) [c](sub/other.md#twice-1) [d](#start)\n"
            "[e](<with space.md>) [f](with%20space.md#code--more-a_b) [g](https://example.org/x#y)\n"
            "[`a.rs:L1-L3`](#src) [`a.rs:L2`](https://example.org/a.rs#L2) [dir](sub)\n"
            "[`dir with space/[é] (x).ts:L2`](#src) [``tick`.md:L1``](#src)\n"
            "[`dir with space/\\[é\\] (x).ts:L1-L2`](#src)\n"
            "`[not](a-link.md)` \\[not](a-link.md)\n\n"
            "```rust\n[not](a-link.md)\n```\n"
            "[ref]: sub/other.md\n"
        )
        self.assertEqual(broken, [])
        self.assertEqual(code, 0)
        self.assertEqual(self.summary, "3 files, 8 links, 5 citations, 0 broken")

    def test_what_is_broken(self):
        for text, complaint in [
            ("[a](missing.md)", "there is no such file"),
            ("[a](sub/other.md#nowhere)", "no heading or anchor"),
            ("[a](sub/other.md#twice-2)", "no heading or anchor"),
            ("[a](#src)", "no heading or anchor"),
            ("[a](../repo/a.rs)", "leads out of the tree"),
            ("[a](/sub/other.md)", "root of a site"),
            ("[ref]: missing.md", "there is no such file"),
            ("## See [a](missing.md)", "there is no such file"),
            ("[![p](missing.png)](sub/other.md)", "there is no such file"),
            ("[`a.rs:L1-L4`](#src)", "has 3 lines"),
            ("[`a.rs:L0`](#src)", "has 3 lines"),
            ("[`a.rs:L3-L2`](#src)", "has 3 lines"),
            ("[`empty:L1`](#src)", "has 0 lines"),
            ("[`gone.rs:L1`](https://example.org)", "is not a file of the commit"),
            ("[`a.rs:L1`](sources/a.rs.md)", "there is no such file"),
            ("```\n[`a.rs:L1`](#src)\n```\n[a](missing.md)", "there is no such file"),
        ]:
            with self.subTest(text):
                code, broken = self.check(text + "\n")
                self.assertEqual(code, 1)
                self.assertEqual(len(broken), 1, broken)
                self.assertIn(complaint, broken[0])

    def test_copies_of_cited_files(self):
        document = self.root / "document"
        (document / "sources").mkdir(parents=True)
        # A copy is no page: its own links are its own business.
        (document / "sources" / "a.md").write_text("[a](missing.md)\ntwo\n")
        for target, complaint in [
            ("sources/a.md#L1-L2", None),
            ("sources/a.md", None),
            ("sources/a.md#L2-L3", "has 2 lines"),
            ("sources/a.md#L0", "has 2 lines"),
            ("sources/a.md#top", "does not name lines"),
            ("sources/b.md#L1", "there is no such file"),
        ]:
            with self.subTest(target):
                (document / "index.md").write_text(f"[x]({target})\n")
                done = run("check-docs", document)
                self.assertEqual(done.returncode, 1 if complaint else 0, done.stdout)
                self.assertIn(complaint or "1 files, 1 links", done.stdout)

    def test_a_tree_without_pages_is_no_success(self):
        empty = self.root / "empty"
        empty.mkdir()
        self.assertNotEqual(run("check-docs", empty).returncode, 0)


class CheckEdges(unittest.TestCase):
    def check(self, name: str, dependency: str, kind: str | None = None) -> str:
        root = Path("/w")

        def package(name: str, folder: str, dependencies: list) -> dict:
            manifest = str(root / folder / "Cargo.toml")
            return {"name": name, "manifest_path": manifest, "dependencies": dependencies}

        folders = {
            "caffeine-model": "crates/model",
            "caffeine-contract": "crates/contract",
            "caffeine-store": "crates/store",
            "caffeine-cloner": "services/cloner",
            "caffeine-chunker": "services/chunker",
            "caffeine": "services/caffeine",
            "caffeine-e2e": "tests/e2e",
        }
        edge = {"name": dependency, "kind": kind}
        packages = [
            package(own, folder, [edge] if own == name else []) for own, folder in folders.items()
        ]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"packages": packages, "workspace_root": str(root)}, file)
            file.flush()
            done = run("check-edges", file.name)
        self.assertEqual(done.returncode, 1 if done.stderr else 0)
        return done.stderr

    def test_edges(self):
        for name, dependency, kind, allowed in [
            ("caffeine-contract", "caffeine-model", None, True),
            ("caffeine-model", "caffeine-contract", None, False),
            ("caffeine-store", "sqlx", None, True),
            ("caffeine-cloner", "sqlx", None, False),
            ("caffeine-cloner", "sqlx", "dev", True),
            ("caffeine-cloner", "sqlx", "build", False),
            ("caffeine-cloner", "gix", None, True),
            ("caffeine-chunker", "gix-object", None, False),
            ("caffeine-chunker", "tree-sitter-rust", None, False),
            ("caffeine-chunker", "caffeine-cloner", None, False),
            ("caffeine-chunker", "caffeine-cloner", "dev", False),
            ("caffeine-store", "caffeine-cloner", None, False),
            ("caffeine-chunker", "caffeine-store", None, True),
            ("caffeine-chunker", "caffeine", None, False),
            ("caffeine", "caffeine-cloner", None, True),
            ("caffeine-e2e", "caffeine-cloner", "dev", True),
            ("caffeine", "poem-openapi", None, False),
        ]:
            with self.subTest(f"{name} -> {dependency} ({kind})"):
                self.assertEqual(self.check(name, dependency, kind) == "", allowed)


if __name__ == "__main__":
    unittest.main()
