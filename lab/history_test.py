"""The judge itself: it has to find each kind of fault, or its silence means nothing.

    python3 -m unittest discover -s lab -p '*_test.py'
"""

import unittest

import history
import load


def act(op, t0, t1, r="ok", v=None, e=None, got=None, c="x", k="k"):
    return {"k": k, "c": c, "op": op, "v": v, "e": e, "t0": t0, "t1": t1, "r": r, "got": got}


class Registers(unittest.TestCase):
    def good(self, *acts):
        self.assertTrue(history.linearizable(acts))

    def bad(self, *acts):
        self.assertIs(history.linearizable(acts), False)

    def test_what_follows_in_time(self):
        self.good(act("put", 0, 1, v="a"), act("get", 2, 3, got="a"))
        self.bad(act("put", 0, 1, v="a"), act("get", 2, 3, got=None))
        self.bad(act("put", 0, 1, v="a"), act("put", 2, 3, v="b"), act("get", 4, 5, got="a"))

    def test_what_is_at_the_same_time(self):
        self.good(act("put", 0, 9, v="a"), act("get", 1, 2, got=None), act("get", 3, 4, got="a"))
        self.bad(act("put", 0, 9, v="a"), act("get", 1, 2, got="a"), act("get", 3, 4, got=None))

    def test_an_unknown_write_happens_late_or_never(self):
        lost = act("put", 0, 1, r="unknown", v="a")
        self.good(lost, act("get", 5, 6, got=None))
        self.good(lost, act("get", 5, 6, got=None), act("get", 7, 8, got="a"))
        self.bad(lost, act("get", 5, 6, got="a"), act("get", 7, 8, got=None))

    def test_conditions(self):
        self.good(act("create", 0, 1, v="a"), act("create", 2, 3, r="no", v="b"), act("cas", 4, 5, v="c", e="a"))
        self.bad(act("create", 0, 1, v="a"), act("create", 2, 3, v="b"))
        self.bad(act("put", 0, 1, v="a"), act("cas", 2, 6, v="b", e="a"), act("cas", 3, 5, v="c", e="a"))
        self.bad(act("put", 0, 1, v="a"), act("cas", 2, 3, r="no", v="b", e="a"))
        self.good(act("put", 0, 1, v="a"), act("delete", 2, 3), act("cas", 4, 5, r="no", v="b", e="a"), act("get", 6, 7, got=None))
        # A compare-and-swap without an answer explains why the next one does not fit.
        self.good(act("put", 0, 1, v="a"), act("cas", 2, 3, r="unknown", v="b", e="a"), act("cas", 4, 5, r="no", v="c", e="a"))


class Verdicts(unittest.TestCase):
    def test_lost_and_stale_and_torn_are_told_apart(self):
        lost = [act("put", 0, 1, v="a"), act("get", 9, 10, got=None, c="final")]
        stale = [act("put", 0, 1, v="a"), act("put", 2, 3, v="b"), act("get", 4, 5, got="a"), act("get", 9, 10, got="b", c="final")]
        torn = [act("put", 0, 1, v="a"), act("get", 4, 5, got="torn: x"), act("get", 9, 10, got="a", c="final")]
        self.assertEqual(history.judge(lost)["lost"], ["k"])
        self.assertEqual(history.judge(stale)["stale"], ["k"])
        self.assertEqual(history.judge(torn)["torn"], ["k"])

    def test_refused_acts_say_nothing(self):
        found = history.judge([act("put", 0, 1, r="refused", v="a"), act("get", 2, 3, got=None, c="final")])
        self.assertFalse(any(found.values()))

    def test_two_primaries(self):
        probe = lambda server, timeline, t0: {"server": server, "timeline": timeline, "t0": t0, "t1": t0 + 1}  # noqa: E731
        self.assertFalse(history.two_primaries([probe("a", 1, 0), probe("a", 1, 2), probe("b", 2, 5)]))
        self.assertTrue(history.two_primaries([probe("a", 1, 0), probe("b", 2, 5), probe("a", 1, 8)]))
        self.assertTrue(history.two_primaries([probe("a", 1, 0), probe("b", 1, 5)]))

    def test_gaps(self):
        self.assertEqual(history.longest_gap([1, 2, 3, 9, 10], 2.5, 10)[0], 6)
        self.assertEqual(history.longest_gap([1, 2, 3], 2.5, 30)[0], 27)
        self.assertEqual(history.longest_gap([], 0, 5)[0], 5)


class Bodies(unittest.TestCase):
    def test_a_body_is_known_again_and_a_torn_one_is(self):
        for size in (40, 120, 60_000):
            value = f"s-w0-1-{size}"
            data = load.body(value)
            self.assertEqual((len(data), load.read_body(data)), (size, value))
            for wrong in (data[:-1], data + b"x", data[:60] + b"\0" + data[61:], b""):
                if wrong != data:
                    self.assertTrue(load.read_body(wrong).startswith("torn"), wrong[:80])


if __name__ == "__main__":
    unittest.main()
