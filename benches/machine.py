"""What the figures were measured on, and what a process uses: read from /proc, never guessed."""

import os
import platform
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def family(pid):
    """A process and those it has started, and so on."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def memory_mib(pid):
    """Resident memory now and at its highest, in MiB, of a process and those it has started; the highest of each is
    added up, which is never less than what they used at once."""
    fields = {}
    for one in family(pid):
        for line in Path(f"/proc/{one}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                fields[name] = fields.get(name, 0) + int(value.split()[0]) / 1024
    return {"rss_mib": round(fields.get("VmRSS", 0), 1), "highest_mib": round(fields.get("VmHWM", 0), 1)}


def cpu_seconds(pid):
    """Processor time used by a process and those it has started."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def settle(pids, seconds_max):
    """Waits until what earlier runs left behind is written and worked off.

    Dirty pages of a store that does not sync, and folding or compaction after many writes, would
    otherwise be paid by whoever is measured next. Returns the seconds waited and whether it grew quiet.
    """
    started = time.monotonic()
    os.sync()
    while True:
        before = sum(cpu_seconds(pid) for pid in pids)
        time.sleep(0.25)
        busy = (sum(cpu_seconds(pid) for pid in pids) - before) / 0.25
        waited = time.monotonic() - started
        if busy < 0.08 or waited >= seconds_max:
            return round(waited, 2), busy < 0.08


def load_average():
    """Load of the last minute: above the number of processors something else is running."""
    return os.getloadavg()[0]


def facts(folder):
    """The machine, as the report prints it."""
    cpu = next(
        (l.partition(":")[2].strip() for l in Path("/proc/cpuinfo").read_text().splitlines()
         if l.startswith("model name")), "unknown",
    )
    total = next(l for l in Path("/proc/meminfo").read_text().splitlines() if l.startswith("MemTotal"))
    return {
        "processors": os.cpu_count(), "processor": cpu,
        "memory_gib": round(int(total.split()[1]) / 1024 / 1024, 1),
        "kernel": platform.release(), "system": _system(), "filesystem": filesystem(folder),
        "load_before": round(load_average(), 2),
    }


def _system():
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "unknown"


def filesystem(folder):
    """The type of the file system that holds the folder."""
    done = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def clarence_version(binary):
    """What the binary calls itself."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"
