import unittest

from dynhost import Collected, testing
from ops import measure, split, total


class Ops(unittest.TestCase):
    def test_a_text_is_split_into_lines(self) -> None:
        outcome = testing.run(split, text="to be\nor not")
        self.assertEqual(outcome.dynamic(), [("line_0", "to be"), ("line_1", "or not")])

    def test_an_op_is_a_function(self) -> None:
        self.assertEqual(measure("to  be"), 2)
        self.assertEqual(measure(""), 0)
        self.assertEqual(total(Collected.of([2, 0, 3])), 5)
