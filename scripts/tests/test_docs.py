"""The documentation agrees with itself."""

import re
import unittest
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Configuration(unittest.TestCase):
    """The tables of settings, and the file that shows all of them."""

    def test_the_complete_file_has_every_setting(self) -> None:
        text = (DOCS / "configuration.md").read_text()
        _, begin, rest = text.partition("## A complete file")
        self.assertTrue(begin)
        tables, file = text.partition(begin)[0], rest.split("```")[1]
        keys = re.findall(r"^\| `CAFFEINE_\S+?`[^|]*\| `(\w+)` \|", tables, re.MULTILINE)
        self.assertGreater(len(keys), 60)
        missing = [key for key in keys if not re.search(rf"^(# )?{key}( =|:)", file, re.MULTILINE)]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
