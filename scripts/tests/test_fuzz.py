"""Tests of the fuzz targets' bookkeeping: python3 -m unittest discover scripts/tests"""

from __future__ import annotations

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FUZZ = ROOT / "fuzz"


class Targets(unittest.TestCase):
    def test_each_is_a_program_a_property_and_seeds(self):
        programs = re.findall(r'^\[\[bin\]\]\nname = "(\w+)"', (FUZZ / "Cargo.toml").read_text(), re.MULTILINE)
        properties = []
        for file in [*ROOT.glob("crates/*/src/**/properties.rs"), *ROOT.glob("services/*/src/properties.rs")]:
            text = file.read_text()
            listed = text[text.index("replay(&[") :]
            properties += re.findall(r'\("(\w+)", [\w:]+\)', listed[: listed.index("]);")])
        self.assertEqual(sorted(programs), programs)
        self.assertEqual(sorted(properties), programs)
        self.assertEqual(sorted(file.stem for file in (FUZZ / "targets").glob("*.rs")), programs)
        self.assertEqual(sorted(folder.name for folder in (FUZZ / "seeds").iterdir()), programs)

    def test_an_unknown_one_is_refused_with_the_known_ones(self):
        done = subprocess.run([ROOT / "scripts" / "fuzz", "nonsense"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no target nonsense", done.stderr)
        self.assertIn("manifest", done.stderr)


if __name__ == "__main__":
    unittest.main()
