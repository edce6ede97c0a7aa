"""Tables, goals and the JSON file. Prints what falls short as plainly as what does not."""

import json
from pathlib import Path
from statistics import median

from compare import DISK

SCHEMA = "clarence.bench/1"
OURS = "clarence"

# (case, peer, how many times as fast): the demands of the first release.
RATIOS = (
    ("PUT 4 KiB", "seaweedfs", 1.0),
    ("PUT 4 KiB", "garage", 10.0),
    ("GET 4 KiB", "seaweedfs", 2.0),
    ("GET 1 MiB", "seaweedfs", 1.3),
    ("PUT 16 MiB", DISK, 0.8),
)
# (case, field, at least): figures that depend on the machine, so a reading on another one is no verdict.
RATES = (
    ("GET 16 MiB", "megabytes_per_second", 1000.0, "MB/s"),
    ("PUT 4 KiB", "per_second", 2700.0, "/s"),
    ("GET 4 KiB", "per_second", 7500.0, "/s"),
)


def ratios(ours, other, by_bytes):
    """Ours over the other's, round by round."""
    field = "megabytes_per_second" if by_bytes else "per_second"
    pairs = zip(ours, other)
    return [getattr(a, field) / getattr(b, field) for a, b in pairs if getattr(b, field)]


def table(results):
    """The comparison as text."""
    lines = [
        f"{'':<11} {'':<17}{'requests/s':>11}{'MB/s':>9}{'p50 ms':>9}{'p99 ms':>9}"
        f"   clarence is (median, range over rounds)",
    ]
    for case, by_store in results.items():
        for name, runs in by_store.items():
            lines.append(
                f"{case:<11} {name:<17}{median(r.per_second for r in runs):>11.0f}"
                f"{median(r.megabytes_per_second for r in runs):>9.1f}"
                f"{median(r.p50_ms for r in runs):>9.2f}{median(r.p99_ms for r in runs):>9.2f}"
                f"   {_against(by_store, name)}"
            )
            case = ""
    return "\n".join(lines)


def _against(by_store, name):
    if name == OURS or OURS not in by_store:
        return ""
    found = ratios(by_store[OURS], by_store[name], name == DISK)
    if not found:
        return ""
    return f"{median(found):.2f} times as fast ({min(found):.2f} to {max(found):.2f})"


def goals(results):
    """One entry per demand: what was asked, what was found, whether it is met (None: not measured)."""
    found = []
    for case, peer, least in RATIOS:
        by_store = results.get(case, {})
        values = None
        if OURS in by_store and peer in by_store:
            values = ratios(by_store[OURS], by_store[peer], peer == DISK)
        value = median(values) if values else None
        found.append(_goal(f"{case}, times {peer}", f"at least {least:g}", value, value is not None and value >= least))
    for case, field, least, unit in RATES:
        runs = results.get(case, {}).get(OURS)
        value = median(getattr(r, field) for r in runs) if runs else None
        found.append(_goal(f"{case}, {unit}", f"at least {least:g}", value, value is not None and value >= least))
    return found


def _goal(what, asked, value, met):
    return {"what": what, "asked": asked, "found": value, "met": met if value is not None else None}


def at_most(what, limit, value):
    """A goal that is an upper limit."""
    return _goal(what, f"at most {limit:g}", value, value is not None and value <= limit)


def at_least(what, limit, value):
    """A goal that is a lower limit."""
    return _goal(what, f"at least {limit:g}", value, value is not None and value >= limit)


def goal_lines(entries):
    """Goals as text."""
    words = {True: "met", False: "SHORT", None: "not measured"}
    return "\n".join(
        f"  {words[g['met']]:<13}{g['what']:<44}{g['asked']:<18}"
        + ("" if g["found"] is None else f"found {g['found']:.2f}")
        for g in entries
    )


def write(path, command, machine_facts, stores, fields):
    """Writes the JSON file and returns what it holds."""
    holds = {
        "schema": SCHEMA, "command": command, "machine": machine_facts,
        "stores": [{"name": s.name, "version": s.version} for s in stores], **fields,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(holds, indent=1) + "\n")
    return holds


def results_json(results):
    """Every round of every store."""
    return {
        case: {name: [r.as_json() for r in runs] for name, runs in by_store.items()}
        for case, by_store in results.items()
    }
