"""Mapping keys, the interface that the package carries, and what its README says."""

import re
import sys
import unittest
from pathlib import Path
from typing import Any

import dynhost
from dynhost import check_mapping_key, mapping_key
from dynhost.op import registered

PACKAGE = Path(__file__).resolve().parent.parent


class Keys(unittest.TestCase):
    def test_different_texts_get_different_valid_keys(self) -> None:
        self.assertEqual(mapping_key("notes/été 1.txt"), "notes/été 1.txt")
        self.assertEqual(mapping_key("a[1]"), "a_1_~365a13837e7270c3")
        long = "ü" * 200
        texts = ["", "a", "a_1_", "a[1]", "a]1[", "a\n1]", long, long + "x", long + "y", mapping_key("a[1]")]
        keys = {mapping_key(text) for text in texts}
        self.assertEqual(len(keys), len(texts))
        self.assertEqual([check_mapping_key(key) for key in keys], [None] * len(keys))

    def test_what_is_wrong_is_said(self) -> None:
        self.assertEqual(check_mapping_key(""), "it is empty")
        self.assertEqual(check_mapping_key("a]"), "it contains ']'")
        self.assertEqual(check_mapping_key("k" * 256), "it has 256 bytes, 255 are allowed")


class Package(unittest.TestCase):
    def test_it_carries_the_interface(self) -> None:
        ours = PACKAGE / "src/dynhost/op.wit"
        theirs = PACKAGE.parent.parent / "wit/op.wit"
        self.assertEqual(ours.read_text(), theirs.read_text(), "copy wit/op.wit to src/dynhost/op.wit")

    def test_all_names_are_there(self) -> None:
        for name in dynhost.__all__:
            self.assertTrue(getattr(dynhost, name).__doc__, name)

    def test_the_examples_of_the_readme_run(self) -> None:
        text = (PACKAGE / "README.md").read_text()
        ops, *tests = re.findall(r"```python\n(.*?)```", text, re.S)
        folder = PACKAGE / "target/readme"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ops.py").write_text(ops)
        sys.path.insert(0, str(folder))
        registered.clear()
        for n, code in enumerate(tests):
            module: dict[str, Any] = {"__name__": f"readme_{n}"}
            exec(compile(code, f"README.md, test {n + 1}", "exec"), module)
            for name, thing in module.items():
                if name.startswith("test_"):
                    thing()


if __name__ == "__main__":
    unittest.main()
