"""Tests of what the benches compute; what they run needs packages of its own and is not imported here."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "bench" / "lib"))

import corpus  # noqa: E402
import report  # noqa: E402
from memory import memory_of, tree  # noqa: E402


class Percentiles(unittest.TestCase):
    def check(self, values: list[float], share: float, expected: float | None):
        self.assertEqual(report.percentile(values, share), expected, f"{share} of {values}")

    def test_the_smallest_value_that_covers_the_share(self):
        self.check([], 0.5, None)
        self.check([7.0], 0.95, 7.0)
        self.check([4.0, 1.0, 3.0, 2.0], 0.5, 2.0)
        self.check([float(number) for number in range(1, 101)], 0.95, 95.0)
        self.check([float(number) for number in range(1, 200)], 0.95, 190.0)
        self.check([1.0, 2.0], 0.0, 1.0)


class Memory(unittest.TestCase):
    def test_a_process_and_what_is_below_it(self):
        with subprocess.Popen(["sleep", "60"]) as child:
            try:
                self.assertIn(child.pid, tree(child.pid))
                resident, proportional = memory_of(child.pid)
                self.assertGreaterEqual(resident, proportional)
                self.assertGreater(proportional, 0)
            finally:
                child.kill()
        self.assertIsNone(memory_of(child.pid))


class Corpus(unittest.TestCase):
    def test_the_same_files_give_the_same_commit_and_are_written_once(self):
        files = [("a.rs", Path(__file__)), ("b/c.py", Path(__file__))]
        with tempfile.TemporaryDirectory() as folder:
            one, other = Path(folder) / "one.git", Path(folder) / "other.git"
            commit = corpus.write(one, files)
            self.assertEqual(corpus.write(other, files), commit)
            written = (one / "HEAD").stat().st_mtime_ns
            self.assertEqual(corpus.write(one, files), commit)
            self.assertEqual((one / "HEAD").stat().st_mtime_ns, written)
            self.assertNotEqual(corpus.write(one, files[:1]), commit)


if __name__ == "__main__":
    unittest.main()
