"""Repositories with questions whose answers are known, cut out of published packages.

A question is the first sentence of an item's documentation, which is taken out of the text that is searched; or the name
of something that is defined there and used elsewhere. The same packages give the same questions.
"""

from __future__ import annotations

import hashlib
import random
import re
import string
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

# Of each kind and package.
MOST = 80
ITEM = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:default\s+|async\s+|const\s+|unsafe\s+|extern\s+\"C\"\s+)*"
    r"(?:fn|struct|enum|union|trait|type|mod|macro_rules!|static|const)\s+(?:mut\s+)?([A-Za-z_]\w*)"
)
PYTHON_ITEM = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+([A-Za-z_]\w*)")
WORD = re.compile(r"[A-Za-z_]\w*")
ELSEWHERE = re.compile(r"(^|/)(tests?|benches|examples|fixtures|fuzz|bench)(/|$)|(^|/)(test_[^/]*|[^/]*_test|tests)\.\w+$")


@dataclass
class Question:
    """What is asked, and where the answer stands: (path, first line, last line) of each."""

    kind: str
    text: str
    answers: list[tuple[str, int, int]] = field(default_factory=list)

    def is_answered_by(self, path: str, first: int, last: int) -> bool:
        return any(path == where and begin <= last and first <= end for where, begin, end in self.answers)


@dataclass
class Item:
    """Something documented: its lines, those of its documentation, and the first sentence of that."""

    path: str
    name: str
    line: int
    doc: range
    sentence: str


def order(*words: object) -> bytes:
    return hashlib.sha256("\n".join(map(str, words)).encode()).digest()


def sentence(lines: list[str]) -> str | None:
    """The first sentence, if it says something in words."""
    paragraph = []
    for line in lines:
        if not line.strip() and paragraph:
            break
        if line.strip():
            paragraph.append(line.strip())
    text = re.sub(r"\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])?|`", r"\1", " ".join(paragraph))
    text = re.split(r"(?<=[a-z)])[.:](?:\s|$)", text)[0].strip()
    words = text.split()
    is_prose = text.isascii() and 5 <= len(words) <= 30 and sum(word.isalpha() for word in words) >= 0.7 * len(words)
    return text if is_prose and not text.startswith(("#", "!", "<", ">>>")) else None


def rust_items(path: str, lines: list[str]) -> list[Item]:
    found, at = [], 0
    while at < len(lines):
        begin = at
        while at < len(lines) and lines[at].lstrip().startswith("///"):
            at += 1
        if begin == at:
            at += 1
            continue
        line = at
        while line < len(lines) and lines[line].lstrip().startswith("#["):
            line += 1
        item = line < len(lines) and ITEM.match(lines[line])
        said = sentence([text.lstrip().removeprefix("///") for text in lines[begin:at]])
        if item and said:
            found.append(Item(path, item[1], line, range(begin, at), said))
    return found


def python_items(path: str, lines: list[str]) -> list[Item]:
    found = []
    for line, text in enumerate(lines):
        item = PYTHON_ITEM.match(text)
        if not item or item[1].startswith("_"):
            continue
        begin = next((at + 1 for at in range(line, min(line + 12, len(lines))) if lines[at].rstrip().endswith(":")), None)
        if begin is None or begin >= len(lines) or not lines[begin].lstrip().startswith('"""'):
            continue
        first = lines[begin].strip()
        end = begin
        if not (len(first) > 5 and first.endswith('"""')):
            end = next((at for at in range(begin + 1, len(lines)) if '"""' in lines[at]), None)
            if end is None:
                continue
        said = sentence([text.replace('"""', "") for text in lines[begin : end + 1]])
        if said:
            found.append(Item(path, item[1], line, range(begin, end + 1), said))
    return found


def last_line(lines: list[str], line: int) -> int:
    """Where an item ends, by its indentation; formatters see to that."""
    indent = len(lines[line]) - len(lines[line].lstrip())
    is_python = PYTHON_ITEM.match(lines[line])
    for at in range(line, len(lines)):
        text = lines[at]
        depth = len(text) - len(text.lstrip())
        if is_python and at > line and text.strip() and depth <= indent and not text.lstrip().startswith(")"):
            return at - 1
        if not is_python and depth == indent and text.rstrip().endswith((";", "}")):
            return at
    return len(lines) - 1


def documented(name: str, files: dict[str, list[str]]) -> tuple[dict[str, list[str]], list[Question]]:
    """The files without the documentation that was made into questions, and these."""
    items = []
    for path, lines in files.items():
        if not ELSEWHERE.search(path):
            items += rust_items(path, lines) if path.endswith(".rs") else []
            items += python_items(path, lines) if path.endswith(".py") else []
    times = Counter(item.sentence for item in items)
    items = [item for item in items if times[item.sentence] == 1]
    items.sort(key=lambda item: order(name, item.path, item.name, item.line))
    chosen = items[:MOST]
    gone: dict[str, set[int]] = {}
    for item in chosen:
        gone.setdefault(item.path, set()).update(item.doc)
    kept = {path: [text for at, text in enumerate(lines) if at not in gone.get(path, ())] for path, lines in files.items()}
    questions = []
    for item in chosen:
        line = item.line - sum(at < item.line for at in gone[item.path])
        answer = (item.path, line + 1, last_line(kept[item.path], line) + 1)
        questions.append(Question("sentence", item.sentence, [answer]))
    return kept, questions


def named(name: str, files: dict[str, list[str]]) -> list[Question]:
    """Names of what is defined at one to three places of the program and used at three more."""
    defined: dict[str, list[tuple[str, int, int]]] = {}
    uses: Counter[str] = Counter()
    for path, lines in files.items():
        pattern = ITEM if path.endswith(".rs") else PYTHON_ITEM if path.endswith(".py") else None
        for at, text in enumerate(lines):
            uses.update(WORD.findall(text))
            item = pattern and pattern.match(text)
            if item and not ELSEWHERE.search(path) and text.lstrip()[:3] not in ("mod", "//!"):
                defined.setdefault(item[1], []).append((path, at + 1, at + 1))
    names = [word for word, places in defined.items() if len(word) >= 4 and len(places) <= 3 and uses[word] >= len(places) + 3]
    names.sort(key=lambda word: order(name, word))
    lone = [Question("symbol", word, defined[word]) for word in names[:MOST]]
    marked = [word for word in names if "_" in word.strip("_") or re.search(r"[a-z][A-Z]", word)]
    forms = ("how does {} work", "what is {} for", "where is {} defined and what does it do", "why does {} fail")
    inside = [
        Question("in a question", forms[at % len(forms)].format(word), defined[word])
        for at, word in enumerate(marked[MOST : 2 * MOST] or marked[:MOST])
    ]
    paths = [path for path in files if path.endswith((".rs", ".py")) and not ELSEWHERE.search(path)]
    times = Counter(path.rsplit("/", 1)[-1] for path in files)
    unique = [path for path in paths if times[path.rsplit("/", 1)[-1]] == 1]
    unique.sort(key=lambda path: order(name, path))
    whole = [Question("file", path.rsplit("/", 1)[-1], [(path, 1, 1 << 30)]) for path in unique[:MOST]]
    return lone + inside + whole


def nonsense(seed: str, count: int) -> list[Question]:
    """Words that nobody has written: letters, or syllables. The right answer is none."""
    dice = random.Random(seed)

    def letters() -> str:
        return "".join(dice.choice(string.ascii_lowercase) for _ in range(dice.randint(4, 9)))

    def syllables() -> str:
        return "".join(dice.choice("bdfgklmnprstvwz") + dice.choice("aeiou") for _ in range(dice.randint(2, 4)))

    return [
        Question("nonsense", " ".join((letters if at % 2 else syllables)() for _ in range(1 + at % 4)))
        for at in range(count)
    ]


# Nothing of this is in a program.
TRIED_ON_ELSEWHERE = """recipe for apple pie with cinnamon; who won the football world cup in 1998; cheap flights to lisbon in october
how do whales breathe; guitar chords for beginners; the weather in Paris tomorrow; best restaurants near the opera
how to grow tomatoes on a balcony; symptoms of the flu in children; history of the roman empire; how many calories has a banana
train from berlin to munich; why is the sky blue; what is the capital of australia; yoga exercises against back pain"""
ELSEWHERE_TOO = """how to bake sourdough bread at home; who painted the mona lisa; hotels in vienna with a swimming pool; why do cats purr
learn to play the piano as an adult; will it rain on saturday in hamburg; opening hours of the museum of natural history
how to water orchids in winter; treatment of a sprained ankle; kings of england in the middle ages; is dark chocolate healthy
ferry from naples to sicily; how far away is the moon; population of new zealand; stretching before running a marathon"""


def about_something_else(tried_on: bool) -> list[Question]:
    text = TRIED_ON_ELSEWHERE if tried_on else ELSEWHERE_TOO
    return [Question("about something else", line.strip()) for line in text.replace("\n", ";").split(";")]


def read(folder: Path) -> dict[str, list[str]]:
    """The text files of a package by path."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink() or path.stat().st_size > 256 * 1024 or "__pycache__" in path.parts:
            continue
        try:
            files[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            continue
    return files
