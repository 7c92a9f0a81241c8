"""Repositories of real code, the same for the same Cargo.lock: cut from the sources of our dependencies, as
`scripts/make-corpus` takes them."""

from __future__ import annotations

import hashlib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from programs import ROOT

Files = list[tuple[str, Path]]


def make_corpus() -> ModuleType:
    loader = SourceFileLoader("make_corpus", str(ROOT / "scripts" / "make-corpus"))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def sources(count: int) -> Files:
    """At least so many files. Where there are fewer, the same again under another folder: other paths are other
    file versions, so they are work like any other."""
    files = make_corpus().fetched(count)
    copies = -(-count // len(files))
    return [
        (path if not copy else f"copy-{copy}/{path}", file)
        for copy in range(copies)
        for path, file in files
    ]  # fmt: skip


def write(out: Path, files: Files) -> str:
    """A bare repository with one commit of these files, unless it is there; returns the commit."""
    stamp = hashlib.sha256("\n".join(f"{path} {file}" for path, file in files).encode()).hexdigest()
    known = out / "bench-corpus"
    if known.is_file() and known.read_text().startswith(f"{stamp} "):
        return known.read_text().split()[1]
    out.parent.mkdir(parents=True, exist_ok=True)
    commit = make_corpus().write(out, files)
    known.write_text(f"{stamp} {commit}\n")
    return commit


def small(count: int, smallest: int, largest: int) -> list[Files]:
    """So many lists of files, each with a number of files between the two, all different."""
    sizes = []
    for number in range(count):
        digest = int.from_bytes(hashlib.sha256(f"repository {number}".encode()).digest()[:4], "big")
        sizes.append(smallest + digest % (largest - smallest + 1))
    files = sources(sum(sizes))
    cut, begin = [], 0
    for size in sizes:
        cut.append(files[begin : begin + size])
        begin += size
    return cut
