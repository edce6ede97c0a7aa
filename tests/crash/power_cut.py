#!/usr/bin/env python3
"""Cuts the power of a whole node at chosen moments, and starts it on what its disks may hold then.

    CLARENCE_BIN=… tests/crash/power_cut.py --cuts 12 [--seed 1] [--long]

A node with two sites runs under strace while clients write, overwrite, copy, delete, upload in parts, read and list;
it is killed with SIGKILL in the middle, started again, and stopped. The trace has every write, name and sync, and
every answer at the moment it left. For each cut the disks are laid out as they may be at that moment (the model
stands in `power_disk.py`: what no sync covers is dropped, kept by halves, or torn at sectors of 512 bytes), with the
power gone at both sites and at the parents at once, at one site only, or at both with one site lost for good. Then
the node is started on it, and must have every answered write with its bytes, no deleted object, no torn one, a list
that fits, a ledger entry for every answered request, a log that can be published and verified and contains what was
signed before the cut, two sites that agree, and nothing in clear on any disk. Some cuts come twice: the second one
while the node gets up after the first.

Two things show that this could fail. At the end of each of the node's lives the files are made anew from the trace
and have to be those on the disk, byte by byte, so that nothing the node writes is overlooked. And in the negative
control the same cuts are made with syncs of files, of folders or of both taken out, which has to lose answered
writes every time.

A cut that goes wrong leaves its recording behind; --replay repeats it.
"""

import argparse
import collections
import concurrent.futures
import http.client
import pickle
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cloud as clouds  # noqa: E402
import power_disk as disks  # noqa: E402
import power_load as load  # noqa: E402
import power_record  # noqa: E402
import power_trace as trace  # noqa: E402
from power_model import Sync, Write  # noqa: E402

SITES = ("site-a", "site-b")
AT_ONCE = 2
NEVER = 1 << 62


@dataclass(frozen=True)
class Where:
    """Which disks lose power, and which site is lost besides."""

    name: str
    scopes: frozenset | None = None
    lost: str | None = None


PLACES = (
    Where("everywhere"),
    Where("everywhere"),
    Where("site-a only", frozenset(["site-a"])),
    Where("site-b only", frozenset(["site-b"])),
    Where("everywhere, site-a lost", lost="site-a"),
    Where("everywhere, site-b lost", lost="site-b"),
)


@dataclass
class Trial:
    """One cut and what came of it."""

    number: int
    cut: disks.Cut
    where: Where
    twice: bool = False  # the power goes again while the node gets up
    promised: int = 0  # acts that had been answered
    unsafe: int = 0  # changes of the disks that no sync covered
    compared: int = 0
    entries: int = 0
    wrong: list | None = None

    @property
    def label(self):
        deaf = f", deaf to syncs of {self.cut.deaf_to}" if self.cut.deaf_to else ""
        twice = ", and again while it got up" if self.twice else ""
        return f"{self.cut.mode}, {self.cut.names} names, {self.where.name}{deaf}, at {self.cut.at}{twice}"


def choose(recording, cuts, controls, chance, bare=False):
    """The cuts: just after an answer, at any change, while any sync is under way, and while much of a log that is
    written on and on is being synced, by turns."""
    changes = [e for e in recording.model.effects if e.end > recording.begun]
    answers = sorted(r.moments[1] for r in recording.history.requests if r.moments and r.moments[1] > recording.begun)
    syncs, logs = under_way(recording)
    modes, models = (disks.DROPPED, disks.HALF, disks.TORN), (disks.BARE if bare else disks.STRICT, disks.JOURNALLED)
    grid = [(mode, where, names) for mode in modes for where in PLACES for names in models]
    chance.shuffle(grid)
    trials = []
    for number in range(cuts):
        mode, where, names = grid[number % len(grid)]
        if number % 4 == 3:
            # A log that is half written is what a database fears most, and more so if there is no other copy.
            mode, where = disks.TORN, (PLACES[0], *PLACES[-2:])[number // 4 % 3]
        change, log = chance.choice(changes), max(chance.sample(logs, 3), key=lambda pair: pair[1])[0]
        at = (chance.choice(answers) + 1, chance.choice((change.begin, change.end)) + 1, chance.choice(syncs).end, log.end)[number % 4]
        trials.append(Trial(number, disks.Cut(at, mode, where.scopes, names=names), where, twice=number % 5 == 4))
    late = [moment for moment in answers if moment < recording.lives[0]]
    for number in range(controls):
        at = chance.choice(late[len(late) // 2:]) + 1
        deaf_to = ("files", "folders", "both")[number % 3]
        cut = disks.Cut(at, disks.DROPPED, None, deaf_to, recording.begun + 1)
        trials.append(Trial(cuts + number, cut, PLACES[0]))
    return trials


def under_way(recording):
    """The syncs during which something else happened; and those of files that had been synced before, each with
    the bytes that it is about."""
    syncs, logs, waiting, known = [], [], {}, set()
    for effect in recording.model.effects:
        if isinstance(effect, Write):
            waiting[effect.inode] = waiting.get(effect.inode, 0) + len(effect.data)
        elif isinstance(effect, Sync):
            amount = waiting.pop(effect.inode, 0)
            if effect.begin > recording.begun and effect.end > effect.begin:
                syncs.append(effect)
                if amount and effect.inode in known:
                    logs.append((effect, amount))
            known.add(effect.inode)
    if len(logs) < 3:
        raise clouds.CloudError("hardly anything was synced while it was recorded")
    return syncs, logs


def attempt(recording, trial, folder, seed):
    """Lays the disks out, starts the node on them, and judges."""
    folder.mkdir()
    chance = random.Random(f"{seed}-{trial.number}")
    disk = disks.Disk(recording.model, trial.cut, chance)
    cloud = clouds.Cloud(folder)
    disk.lay_down(cloud.data)
    trial.promised, trial.unsafe = recording.history.settled(trial.cut.at), disk.unsafe
    if trial.where.lost:
        shutil.rmtree(cloud.data / trial.where.lost)
    try:
        if trial.twice:
            cut_again(trial, cloud, chance)
        cloud.up()
        trial.wrong = judge(recording, trial, cloud)
        if not trial.cut.deaf_to:
            trial.wrong += judge_sites(trial, cloud)
            cloud.cli("ledger", "publish")
            cloud.stop()
            trial.wrong += judge_log(recording, trial, cloud)
            found = cloud.find_in_clear(load.CANARY, recording.connect["secret_key"])
            trial.wrong += [f"{text!r} stands in clear in {file}" for text, file in found]
    except (clouds.CloudError, load.Refused, http.client.HTTPException, OSError) as error:
        trial.wrong = [*(trial.wrong or []), f"{error}"[:1500]]
    finally:
        cloud.kill()
    return trial


def cut_again(trial, cloud, chance):
    """Lets a node get up on the disks, and puts in their place what they may hold if the power goes meanwhile."""
    model = power_record.get_up_again(cloud.folder, chance.uniform(0, 2))
    change = chance.choice([e for e in model.effects if e.begin > 0])
    cut = replace(trial.cut, at=chance.choice((change.begin, change.end)) + 1, scopes=None)
    shutil.rmtree(cloud.data)
    disks.Disk(model, cut, chance).lay_down(cloud.data)


def judge(recording, trial, cloud):
    """Entries first, because what the judge does makes entries too."""
    wrong, trial.entries = load.judge_entries(cloud.entries(), recording.history, trial.cut.at)
    # Not from connect.json: it may speak of the recording's port a moment longer than the node serves.
    connect = {**recording.connect, "endpoint": f"http://127.0.0.1:{cloud.port}"}
    more, trial.compared = load.judge_objects(connect, recording.history, trial.cut.at)
    return wrong + more


def judge_sites(trial, cloud):
    """The two sites agree without having to be mended."""
    if trial.where.lost:
        return []
    for letter in "ab":
        cloud.wait_site(letter, "serving", 60)
    report = cloud.cli("scrub")
    rows, chunks = report["catalog"], report["chunks"]
    agree = len(rows) == 2 and not any(site["wrong"] or site["undecided"] or site["rebuild"] for site in rows.values())
    if agree and not chunks["bad"] and not chunks["unreachable"]:
        return []
    return [f"the sites do not agree: {report}"]


def judge_log(recording, trial, cloud):
    """The published log is whole, and goes on from every checkpoint that could be seen before the cut."""
    cloud.cli("ledger", "verify")
    seen = disks.Disk(recording.model, disks.Cut(trial.cut.at, disks.KEPT), random.Random(0))
    for site in SITES:
        signed = seen.content(f"{site}/ledger/checkpoint")
        if signed:
            earlier = cloud.folder / f"{site}.checkpoint"
            earlier.write_bytes(signed)
            cloud.cli("ledger", "verify", "--earlier", str(earlier))
    return []


def run_all(recording, trials, folder, seed):
    """All trials, a few at a time, each told when it is done."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(attempt, recording, trial, folder / f"cut-{trial.number}", seed): trial for trial in trials}
        for done in concurrent.futures.as_completed(running):
            trial = done.result()
            control = trial.cut.deaf_to is not None
            verdict = f"{len(trial.wrong)} WRONG" if trial.wrong and not control else f"{len(trial.wrong)} lost, as it must be" if trial.wrong else "nothing lost"
            print(f"cut {trial.number:3}: {trial.promised} acts and {trial.entries} requests answered, {trial.unsafe} changes unsafe; {trial.label}: {verdict}", flush=True)
            if control or not trial.wrong:
                shutil.rmtree(folder / f"cut-{trial.number}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, help="how many; 12, or 150 with --long")
    parser.add_argument("--controls", type=int, help="cuts with syncs taken out; 3, or 12 with --long")
    parser.add_argument("--acts", type=int, help="changes, reads and lists by each of four writers")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--long", action="store_true", help="more cuts, and load enough that the catalogs write tables")
    parser.add_argument("--bare", action="store_true", help="give the catalog's database no more than POSIX promises either, which is known not to be enough")
    parser.add_argument("--keep", type=Path, help="leave the recording in this folder, which must not exist")
    parser.add_argument("--replay", type=Path, help="take the recording from this folder instead of making one")
    parser.add_argument("--only", type=int, help="only this cut, by its number; what it was started on is kept")
    asked = parser.parse_args()
    cuts = asked.cuts or (150 if asked.long else 12)
    controls = asked.controls if asked.controls is not None else (12 if asked.long else 3)
    acts = asked.acts or (400 if asked.long else 60)
    if not shutil.which("strace"):
        raise SystemExit("strace is needed; install it with: apt-get install strace")
    clouds.binary()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="clarence-power-"))
    folder.mkdir(parents=True, exist_ok=not asked.keep)
    failures = ["it did not come to an end"]
    try:
        failures = campaign(asked, folder, cuts, controls, acts)
    except (clouds.CloudError, trace.NotModelled, load.Refused) as error:
        failures = [str(error)]
        print(f"WRONG {error}")
    finally:
        if not failures and not asked.keep:
            shutil.rmtree(folder)
    if failures:
        print(f"left in {folder}")
    return 1 if failures else 0


def campaign(asked, folder, cuts, controls, acts):
    """Records, cuts, and says what came of it. Gives what went wrong."""
    begun = time.monotonic()
    kept = (asked.replay or folder) / "recording.pickle"
    if asked.replay:
        recording = pickle.loads(kept.read_bytes())
    else:
        recording = power_record.record(folder / "recorded", acts, asked.long)
        kept.write_bytes(pickle.dumps(recording))
        shutil.rmtree(folder / "recorded")
    history, model = recording.history, recording.model
    print(f"seed {asked.seed}; recorded in {time.monotonic() - begun:.0f} s: {history.settled(NEVER)} acts and "
          f"{sum(r.answered(NEVER) for r in history.requests)} requests answered, {len(model.effects)} changes and syncs, "
          f"made anew from the trace byte by byte", flush=True)
    trials = choose(recording, cuts, controls, random.Random(asked.seed), asked.bare)
    if asked.only is not None:
        trials = [trial for trial in trials if trial.number == asked.only]
    run_all(recording, trials, folder, asked.seed)
    failures = []
    for trial in trials:
        if trial.cut.deaf_to is None:
            failures += [f"cut {trial.number} ({trial.label}): {text}" for text in trial.wrong]
        elif not trial.wrong:
            failures.append(f"control {trial.number} ({trial.label}) lost nothing: the replay proves nothing")
    for text in failures[:30]:
        print("WRONG", text)
    real = [trial for trial in trials if trial.cut.deaf_to is None]
    lost = sum(bool(trial.wrong) for trial in trials) - sum(bool(trial.wrong) for trial in real)
    kinds = collections.Counter(trial.cut.mode for trial in real)
    print(f"power cut: {len(real)} cuts ({', '.join(f'{n} {mode}' for mode, n in sorted(kinds.items()))}; {sum(t.twice for t in real)} twice), "
          f"{sum(t.promised for t in real)} promises and {sum(t.compared for t in real)} keys compared, {sum(bool(t.wrong) for t in real)} cuts wrong; "
          f"{lost} of {len(trials) - len(real)} controls lost data; {time.monotonic() - begun:.0f} s")
    if failures:
        bare = " --bare" if asked.bare else ""
        print(f"again: {sys.argv[0]} --replay {kept.parent}{bare} --seed {asked.seed} --cuts {cuts} --controls {controls} --only NUMBER")
    return failures


if __name__ == "__main__":
    sys.exit(main())
