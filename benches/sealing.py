"""Reads what criterion measured of sealing and holds it against what was asked.

Only what criterion wrote in this very run counts, so the time it began is an argument.
"""

import json
import sys
from pathlib import Path

import report

GOAL_GB_PER_SECOND = 5.0


def rates(criterion, since):
    """Gigabytes per second of each benchmark that states its bytes, by its full name."""
    found = {}
    for described in sorted(Path(criterion).glob("**/new/benchmark.json")):
        estimates = described.with_name("estimates.json")
        if not estimates.exists() or estimates.stat().st_mtime < since:
            continue
        facts = json.loads(described.read_text())
        throughput = facts.get("throughput") or {}
        size = throughput.get("Bytes")
        nanoseconds = json.loads(estimates.read_text())["median"]["point_estimate"]
        if size and nanoseconds:
            found[facts["full_id"]] = size / nanoseconds
    return found


def main():
    """Arguments: criterion's folder, the time it began in seconds since 1970, the JSON file to write."""
    criterion, since, out = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    found = rates(criterion, since)
    for name, rate in found.items():
        print(f"  {rate:6.2f} GB/s   {name}")
    sealing = next((rate for name, rate in found.items() if name.endswith("/seal")), None)
    goal = report.at_least("sealing frames of 16 KiB, GB/s on one core", GOAL_GB_PER_SECOND, sealing)
    print("\nwhat was asked of Clarence:\n" + report.goal_lines([goal]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"schema": report.SCHEMA, "command": "seal", "gb_per_second": found,
                               "goals": [goal]}, indent=1) + "\n")
    print(f"\nwritten to {out}")


if __name__ == "__main__":
    main()
