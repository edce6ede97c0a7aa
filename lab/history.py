"""Judges what clients were told: each key is a register, and its history has to be that of one copy that does one thing at
a time (linearizable), where an act without an answer may have happened at any later time, or never.

The search is Wing and Gong's with Lowe's memory of states (Testing for Linearizability, 2017): take any act that could have come
first, go on, turn back where nothing fits. Keys are checked one by one, which is allowed for registers (locality).
"""

import collections

MISSING = None
INFINITE = float("inf")
# A key whose search takes more steps than this is told as undecided, not as good.
STEPS_MAX = 2_000_000


def acts_of(lines):
    """Key to its acts, without those that had no effect and saw nothing."""
    keys = collections.defaultdict(list)
    for line in lines:
        if line["r"] != "refused":
            keys[line["k"]].append(line)
    return keys


def apply(state, act):
    """What the state is after an act, and whether its answer fits; an act without an answer always fits."""
    kind, answer = act["op"], act["r"]
    if kind == "get":
        return state, act.get("got") == state
    if kind == "put":
        return act["v"], True
    if kind == "delete":
        return MISSING, True
    would = state == act["e"] and state is not MISSING if kind == "cas" else state is MISSING
    if answer == "no":
        return state, not would
    if answer == "ok":
        return act["v"], would
    return (act["v"] if would else state), True


def linearizable(acts):
    """True, False, or None if the search was given up."""
    acts = sorted(acts, key=lambda act: act["t0"])
    ends = [act["t1"] if act["r"] in ("ok", "no") else INFINITE for act in acts]
    must = frozenset(number for number, end in enumerate(ends) if end < INFINITE)
    count = len(acts)
    start = (frozenset(), MISSING)
    open_, known, steps = [start], {start}, 0
    while open_:
        done, state = open_.pop()
        if must <= done:
            return True
        # What began after another one had ended cannot come before it.
        first_end = min(ends[number] for number in range(count) if number not in done)
        fitting = []
        for number in range(count):
            if acts[number]["t0"] > first_end:
                break
            if number in done:
                continue
            steps += 1
            after, fits = apply(state, acts[number])
            if fits and (acts[number]["op"] == "get" or acts[number]["r"] == "no"):
                # What changes nothing and fits now is taken now: no order is lost by that.
                fitting = [(done | {number}, state)]
                break
            if fits:
                fitting.append((done | {number}, after))
        if steps > STEPS_MAX:
            return None
        for next_ in fitting:
            if next_ not in known:
                known.add(next_)
                open_.append(next_)
    return False


def judge(lines):
    """What is wrong: keys by kind of fault."""
    found = {"torn": [], "lost": [], "stale": [], "undecided": []}
    for key, acts in acts_of(lines).items():
        if any(str(act.get("got")).startswith("torn") for act in acts):
            found["torn"].append(key)
        whole = linearizable(acts)
        if whole is None:
            found["undecided"].append(key)
        if whole is not False:
            continue
        # Without the reads under way: if what everybody was promised does not explain what is there at the end, something was lost.
        bare = [act for act in acts if act["op"] != "get" or act["c"] == "final"]
        found["lost" if linearizable(bare) is False else "stale"].append(key)
    return found


def two_primaries(probes):
    """Acknowledgements of an older timeline after a newer one had begun to acknowledge, and of two servers on one timeline."""
    wrong = []
    first = {}
    for probe in sorted(probes, key=lambda probe: probe["t1"]):
        first.setdefault(probe["timeline"], probe)
    for probe in probes:
        newer = [other for timeline, other in first.items() if timeline > probe["timeline"] and other["t1"] < probe["t0"]]
        if newer:
            wrong.append((probe, newer[0]))
        if first[probe["timeline"]]["server"] != probe["server"]:
            wrong.append((probe, first[probe["timeline"]]))
    return wrong


def longest_gap(times, begin, end):
    """The longest time without one of them, of those that lie in a window or reach into it: seconds, and when it began."""
    inside = sorted(time for time in times if time <= end)
    edges = [time for time in inside if time >= begin]
    before = [time for time in inside if time < begin]
    points = ([before[-1]] if before else [begin]) + edges + [end]
    return max(((late - early, early) for early, late in zip(points, points[1:])), default=(0.0, begin))
