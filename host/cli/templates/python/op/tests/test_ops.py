import unittest

from dynhost import testing
from ops import {{op}}


class Ops(unittest.TestCase):
    def test_an_op_is_a_function(self) -> None:
        self.assertEqual({{op}}("to be\n or  not"), 4)
        self.assertEqual({{op}}(" "), 0)

    def test_a_step_gives_the_number_as_json(self) -> None:
        self.assertEqual(testing.run({{op}}, text="to be").json(), 2)
