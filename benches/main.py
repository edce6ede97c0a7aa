"""What `./bench` runs once everything is built and installed: `compare` and `listing`."""

import argparse
import shutil
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path

import compare
import listing
import machine
import report
import stores as running

ERRORS, MISSING = 1, 3


def main():
    """Parses, runs, ends whatever it started, and says with its code whether every request succeeded."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    folder = Path(asked.work)
    facts = machine.facts(folder)
    _print_facts(facts, asked)
    if facts["filesystem"] == "tmpfs":
        sys.exit(f"{folder} is in memory, where a sync costs nothing; give a folder on a disk with --folder")
    run = _listing if asked.command == "listing" else _compare
    try:
        code = run(asked, folder, facts)
    except running.CannotStart as error:
        print(f"\nbench: {error}", file=sys.stderr)
        code = MISSING
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _arguments():
    ask = argparse.ArgumentParser()
    ask.add_argument("command", choices=("compare", "listing"))
    ask.add_argument("--work", required=True)
    ask.add_argument("--clarence", required=True)
    ask.add_argument("--weed", default="")
    ask.add_argument("--garage", default="")
    ask.add_argument("--s3s-fs", default="")
    ask.add_argument("--json", required=True)
    ask.add_argument("--quick", action="store_true")
    ask.add_argument("--rounds", type=int, default=None)
    ask.add_argument("--seconds", type=int, default=None)
    ask.add_argument("--keys", type=int, default=None)
    ask.add_argument("--cases", default="")
    ask.add_argument("--without-clarence", action="store_true")
    return ask.parse_args()


def _print_facts(facts, asked):
    print(
        f"{facts['processors']} processors ({facts['processor']}), {facts['memory_gib']} GiB, "
        f"{facts['system']}, kernel {facts['kernel']}, {facts['filesystem']}"
    )
    if facts["load_before"] > 0.5:
        print(f"NOTE: the machine is not quiet (load {facts['load_before']}): ratios only, and with care")
    if "/debug/" in asked.clarence and not asked.without_clarence:
        print("NOTE: this is a debug build of Clarence: it shows that the bench works, its figures mean nothing")


def _say(text):
    print(text, flush=True)


def _plan(asked):
    quick = asked.quick or (asked.command == "listing" and asked.keys is not None and asked.keys < 100_000)
    plan = compare.QUICK if quick else compare.Plan()
    return compare.Plan(
        asked.rounds or plan.rounds, asked.seconds or plan.seconds, plan.warm_seconds,
        plan.settle_seconds, plan.large_uploads, plan.seeds,
    )


def _cases(asked):
    if not asked.cases:
        return compare.CASES
    names = [name.strip() for name in asked.cases.split(",")]
    known = {case.name: case for case in compare.CASES}
    wrong = [name for name in names if name not in known]
    if wrong:
        sys.exit(f"there is no case {wrong[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in names]


def _compare(asked, folder, facts):
    plan = _plan(asked)
    starts = []
    if not asked.without_clarence:
        starts.append(lambda: running.start_clarence(asked.clarence, folder / "clarence"))
    for binary, start in (
        (asked.weed, running.start_seaweedfs), (asked.garage, running.start_garage),
        (asked.s3s_fs, running.start_s3s_fs),
    ):
        if binary:
            starts.append(lambda b=binary, s=start: s(b, folder / Path(b).name))
    _demand_room(folder, compare.room_needed(plan, len(starts)))
    started, memory = [], {}
    try:
        for start in starts:
            started.append(start())
            _say(f"started {started[-1].name} ({started[-1].version}) at {started[-1].endpoint}")
        run = compare.Comparison(started, folder, plan, _say)
        results = run.run(_cases(asked))
        memory = {store.name: machine.memory_mib(store.pid) for store in started if store.process.poll() is None}
    finally:
        for store in started:
            store.stop()
    found = report.goals(results)
    print("\n" + report.table(results))
    print("\nmemory, MiB: " + "; ".join(
        f"{name} {use['rss_mib']:.0f} now, {use['highest_mib']:.0f} at most" for name, use in memory.items()
    ))
    print("\nwhat was asked of Clarence:\n" + report.goal_lines(found))
    _write(asked, facts, started, run.errors, {
        "results": report.results_json(results), "memory": memory, "goals": found,
        "plan": {"rounds": plan.rounds, "seconds": plan.seconds, "large_uploads": plan.large_uploads},
    })
    return _verdict(run.errors)


def _listing(asked, folder, facts):
    plan = _plan(asked)
    keys = asked.keys or (20_000 if asked.quick else 1_000_000)
    _demand_room(folder, keys * 16 * 1024 + compare.room_needed(plan, 1))
    run = listing.Listing(asked.clarence, folder, keys, plan, _say)
    try:
        run.run()
    finally:
        if run.store:
            run.store.stop()
    found = _listing_goals(run.results, keys)
    print(f"\nwhat was asked of Clarence (with {keys:,} keys):\n" + report.goal_lines(found))
    if keys < 1_000_000:
        print("NOTE: the demands are for 1,000,000 keys; with fewer they say little")
    stores = [run.store] if run.store else []
    _write(asked, facts, stores, run.errors, {"listing": run.results, "goals": found})
    return _verdict(run.errors)


def _listing_goals(found, keys):
    highest = [use["highest_mib"] for use in found["memory"].values()] if "load" in found else []
    fill = found.get("fill", {})
    whole = found.get("all_after_filling", {})
    return [
        report.at_most("listing 1,000 keys, median, ms", 10, found.get("warm", {}).get("p50_ms")),
        report.at_most("listing 1,000 keys, p99, ms", 10, found.get("warm", {}).get("p99_ms")),
        report.at_most("first listing after a cold start, ms", 10, found.get("cold_first", {}).get("max_ms")),
        report.at_most("highest memory of the node, MiB", 512, max(highest) if highest else None),
        report.at_least("objects of 1 KiB made, /s", 4600, fill.get("per_second")),
        report.at_least("keys listed, /s", 225_000, whole.get("keys_per_second")),
    ]


def _demand_room(folder, needed):
    free = compare.room_free(folder)
    if free < needed:
        raise running.CannotStart(
            f"this run may write {needed / 1e9:.0f} GB, and {folder} has {free / 1e9:.0f} GB free; "
            "give another folder with --folder, or fewer --rounds, or --quick"
        )


def _write(asked, facts, stores, errors, fields):
    facts["when"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    facts["load_after"] = round(machine.load_average(), 2)
    report.write(asked.json, asked.command, facts, stores, {**fields, "errors": errors})
    print(f"\nwritten to {asked.json}")


def _verdict(errors):
    if not errors:
        return 0
    print(f"\nbench: {len(errors)} runs had failures, so no figure above counts:", file=sys.stderr)
    for error in errors[:20]:
        print(f"  {error}", file=sys.stderr)
    return ERRORS


if __name__ == "__main__":
    try:
        main()
    finally:
        for left in Path(sys.argv[sys.argv.index("--work") + 1]).glob("*"):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
