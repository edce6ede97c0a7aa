"""Scenarios one after the other, on one lab: load, event, healing, judgement. What a scenario leaves is judged before the next begins;
whatever happens, the lab is taken away at the end.
"""

import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import history
import prepare
import report
from machines import CLOUD_NAME
from network import LabError
from scenarios import ALL, BY_NAME
from topology import PORTS, address_of, links_of, other

HERE = Path(__file__).resolve().parent
SCENARIO_SECONDS_MAX = 600
BEFORE_SECONDS = 5
DISK_MEGABYTES = 512


def words(parser):
    """The command line of `lab campaign`."""
    parser.add_argument("names", nargs="*", metavar="SCENARIO")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the four that each change has to pass")
    parser.add_argument("--report", metavar="FILE.html")
    parser.add_argument("--keep", action="store_true", help="use the lab that is up, or leave it up")


def main(lab, asked):
    """Runs the scenarios; 0 if every promise held."""
    if asked.list:
        for scenario in ALL:
            print(f"{scenario.name:32} {'quick  ' if scenario.quick else '       '}{scenario.about}")
        return 0
    unknown = [name for name in asked.names if name not in BY_NAME]
    if unknown:
        raise LabError(f"there is no scenario {unknown[0]}; ./lab/lab campaign --list shows them")
    wanted = [BY_NAME[name] for name in asked.names] or [scenario for scenario in ALL if scenario.quick or not asked.quick]
    disks = DISK_MEGABYTES if any("small-disks" in scenario.needs for scenario in wanted) else 0
    results = []
    try:
        for scenario in wanted:
            if not lab.network.exists():
                lab.up(small_disks=disks)
                prepare_probe(lab)
            results.append(one(lab, scenario))
            report.line(results[-1])
            if results[-1].get("broken") and not asked.keep:
                lab.keep_logs()
                lab.down()
        if lab.network.exists():
            results.append(last_look(lab))
            report.line(results[-1])
    finally:
        if asked.report:
            Path(asked.report).write_text(report.page(results))
            print(f"report: {asked.report}")
        if not asked.keep:
            lab.down()
    bad = [result for result in results if result["wrong"]]
    print(f"{len(results) - len(bad)} held, {len(bad)} did not: {', '.join(result['name'] for result in bad) or 'none'}")
    return 1 if bad else 0


def prepare_probe(lab):
    """The table that the probe of both servers writes to."""
    lab.sql(lab.primary(), "CREATE TABLE IF NOT EXISTS lab_probe (server text, n bigint, at timestamptz DEFAULT now())")


def one(lab, scenario):
    """One scenario, bounded in time."""
    def late(*_):
        raise LabError(f"{scenario.name} took more than {SCENARIO_SECONDS_MAX} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SCENARIO_SECONDS_MAX)
    begun = time.time()
    run = Run(lab, scenario)
    try:
        run.settle()
        run.load_starts()
        run.event()
        run.heal()
        run.load_ends()
        return run.judge() | {"seconds": time.time() - begun}
    except (LabError, OSError, subprocess.TimeoutExpired) as error:
        return {"name": scenario.name, "about": scenario.about, "broken": True, "wrong": [f"the scenario could not be carried through: {error}"], "seconds": time.time() - begun}
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        run.stop_programs()


class Run:
    """One scenario under way."""

    def __init__(self, lab, scenario):
        self.lab, self.scenario = lab, scenario
        self.folder = lab.folder / "runs" / f"{scenario.name}-{os.getpid()}-{time.time_ns() // 1_000_000}"
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o777)
        self.marks, self.programs = [], []
        self.primary = self.standby = None

    def mark(self, text):
        self.marks.append((time.time(), text))

    # --- before ---------------------------------------------------------------------------------------

    def settle(self):
        """The state that each scenario begins with: a synchronous standby, the node where it has to be."""
        lab = self.lab
        lab.wait(lab.synchronous, "there is a primary with a synchronous standby", 180)
        self.primary = lab.primary()
        self.standby = other(self.primary)
        where = {"P": self.primary, "S": self.standby}[self.scenario.node]
        if lab.placement.node != where or not lab.node_ready(where):
            lab.move(where)
        lab.wait(lab.ready, "S3 answers at both gates", 30)

    def load_starts(self):
        self.settings = {
            "connect": json.loads((self.lab.cloud / "connect.json").read_text()), "ca": str(self.lab.cloud / "tls/ca.pem"), "name": CLOUD_NAME, "gate_port": PORTS["gate"],
            "gates": [address_of(f"node-{self.primary}"), address_of(f"node-{self.standby}")], "out": str(self.folder / "history"), "stop": str(self.folder / "stop"),
            "seed": self.folder.name.rsplit("-", 1)[1]}
        sockets = {site: str(self.lab.of(f"db-{site}") / "socket") for site in "ab"}
        probe = self.write("probe.json", {"sockets": sockets, "out": str(self.folder / "probes"), "stop": self.settings["stop"]})
        self.spawn("client", [sys.executable, HERE / "load.py", self.write("load.json", self.settings)], "load")
        home = {"HOME": "/var/lib/postgresql", "PATH": os.environ["PATH"]}
        code = (HERE / "probe.py").read_text()
        self.spawn("client", [prepare.VENV / "bin/python", "-c", code, probe], "probe", "postgres", home)
        begun = time.time()
        self.lab.wait(lambda: len(self.writes()) > 50, "clients' writes are acknowledged", 30)
        time.sleep(max(0.0, begun + BEFORE_SECONDS - time.time()))

    def write(self, name, settings):
        path = self.folder / name
        path.write_text(json.dumps(settings))
        path.chmod(0o644)
        return path

    def spawn(self, machine, command, name, user=None, env=None):
        log = open(self.folder / f"{name}.log", "ab")
        self.programs.append(self.lab.network.spawn(machine, command, log, user, env))

    # --- the event ------------------------------------------------------------------------------------

    def event(self):
        begun = time.time()
        self.begun = begun
        for after, what, on in self.scenario.steps:
            time.sleep(max(0.0, begun + after - time.time()))
            self.step(what, on)
        self.last_step = time.time()
        self.wait_until(begun + self.scenario.hold)
        if not self.scenario.stops:
            # Until something is acknowledged again, and has been for a while.
            while time.time() < begun + self.scenario.most and not self.flows():
                time.sleep(0.5)
        self.mark("healing")
        self.held = time.time()

    def wait_until(self, moment):
        time.sleep(max(0.0, moment - time.time()))

    def flows(self):
        """Whether writes were acknowledged in each of the last three seconds."""
        now = time.time()
        seconds = {int(now - act["t1"]) for act in self.writes() if now - act["t1"] < 3}
        return seconds == {0, 1, 2}

    def step(self, what, on):
        """Does one step; site letters are put in for P and S."""
        lab, letters = self.lab, {"P": self.primary, "S": self.standby}
        on = re.sub(r"\b[PS]\b", lambda found: letters[found[0]], on)
        self.mark(f"{what} {on}")
        if what in ("kill", "hang"):
            getattr(lab, what)(on)
        elif what == "continue":
            lab.go_on(on)
        elif what == "start":
            lab.start(on)
        elif what in ("cut", "join"):
            place = on.removeprefix("wan-")
            names = [on] if on.count("-") and not on.startswith("wan-") else [link for link in links_of(place) if not (on.startswith("wan-") and link.startswith("clients-"))]
            for link in names:
                getattr(lab.network, what)(link)
        elif what == "slow":
            link, *numbers = on.split()
            lab.network.slow(link, *map(float, numbers))
        elif what == "move":
            # Whoever stands by: the node starts at the other site, and waits for the catalog's new primary there.
            lab.start_node(f"node-{on}")
        elif what == "fill":
            filler = lab.of(f"db-{on}") / "disk/filler"
            subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1M"], capture_output=True)
        elif what == "free":
            (lab.of(f"db-{on}") / "disk/filler").unlink(missing_ok=True)
        else:
            raise LabError(f"there is no step {what}")

    def heal(self):
        lab = self.lab
        for what, on in self.scenario.heal:
            self.step(what, on)
        lab.wait(lab.synchronous, "after healing there is a primary with a synchronous standby", 180)
        self.mark("both sites again")
        if not lab.of_unit(f"node-{lab.placement.node}/clarence"):
            self.mark("the node had ended and is started again")
            lab.start(f"node-{lab.placement.node}/clarence")
        lab.wait(self.flows, "writes are acknowledged after healing", 60)
        time.sleep(2)

    # --- after ----------------------------------------------------------------------------------------

    def load_ends(self):
        (self.folder / "stop").touch()
        for program in self.programs:
            program.wait(60)
        keys = sorted({act["k"] for act in self.acts() if act["op"] != "get" and act["r"] in ("ok", "unknown")})
        settings = self.settings | {"out": str(self.folder / "final"), "read": keys, "stop": str(self.folder / "never")}
        self.spawn("client", [sys.executable, HERE / "load.py", self.write("final.json", settings)], "final")
        self.programs[-1].wait(180)

    def stop_programs(self):
        for program in self.programs:
            if program.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                program.wait()

    def lines(self, name):
        try:
            # The last line may be half written.
            return [json.loads(line) for line in (self.folder / name).read_text().split("\n")[:-1]]
        except FileNotFoundError:
            return []

    def acts(self):
        return self.lines("history")

    def writes(self):
        return [act for act in self.acts() if act["op"] != "get" and act["r"] == "ok"]

    def judge(self):
        scenario, lab = self.scenario, self.lab
        acts, final, probes = self.acts(), self.lines("final"), self.lines("probes")
        acked = [act for act in acts if act["op"] != "get" and act["r"] == "ok"]
        reads = [act for act in acts if act["op"] == "get" and act["r"] == "ok"]
        result = {"name": scenario.name, "about": scenario.about, "marks": self.marks, "begun": self.begun, "acked": len(acked), "reads": len(reads)}
        result["unknown"] = sum(act["r"] == "unknown" for act in acts)
        result["refused"] = sum(act["r"] == "refused" for act in acts)
        result |= history.judge(acts + final)
        unread = len({act["k"] for act in acked}) - len({act["k"] for act in final if act["r"] == "ok"} & {act["k"] for act in acked})
        result["unread"] = unread
        have = set(lab.sql(lab.primary(), "SELECT server || n FROM lab_probe WHERE at > now() - interval '15 minutes'", timeout=30).split())
        result["probes"] = len(probes)
        result["probes_lost"] = sum(f"{probe['server']}{probe['n']}" not in have for probe in probes)
        lab.sql(lab.primary(), "DELETE FROM lab_probe", timeout=30)
        result["two_primaries"] = len(history.two_primaries(probes))
        result["write_gap"], at = history.longest_gap([act["t1"] for act in acked], self.begun, self.held)
        result["write_gap_at"] = at - self.begun
        result["read_gap"], _ = history.longest_gap([act["t1"] for act in reads], self.begun, self.held)
        result["told"] = self.told(acts)
        result["dots"] = {"write": [act["t1"] for act in acked], "read": [act["t1"] for act in reads], "no": [act["t1"] for act in acts if act["r"] in ("unknown", "refused")],
                          "probe-a": [probe["t1"] for probe in probes if probe["server"] == "a"], "probe-b": [probe["t1"] for probe in probes if probe["server"] == "b"]}
        result["wrong"] = self.wrong(result, acked)
        return result

    def told(self, acts):
        """What clients were told while they were not served: answer, Retry-After, and after how long."""
        told = collections.defaultdict(list)
        for act in acts:
            if act.get("s", 0) >= 500:
                code = act["why"].split("<Code>")[-1].split("<")[0] if "<Code>" in act["why"] else ""
                told[f"{act['s']} {code}, Retry-After {act.get('later')}"].append(act["t1"] - act["t0"])
            elif act["r"] in ("unknown", "refused"):
                told[" ".join(act.get("why", str(act.get("s"))).split()[:1])].append(act["t1"] - act["t0"])
        patient = [act["t1"] - act["t0"] for act in acts if act.get("patient") and act["r"] == "ok"]
        return {"answers": {key: {"count": len(times), "longest": max(times)} for key, times in told.items()}, "patient_longest": max(patient, default=None)}

    def wrong(self, result, acked):
        """The promises that did not hold."""
        wrong = [f"{kind}: {len(result[kind])} keys ({', '.join(result[kind][:3])})" for kind in ("torn", "lost", "stale", "undecided") if result[kind]]
        if result["unread"]:
            wrong.append(f"{result['unread']} acknowledged keys could not be read at the end")
        if result["probes_lost"]:
            wrong.append(f"{result['probes_lost']} acknowledged rows of the probe are lost")
        if result["two_primaries"]:
            wrong.append(f"two primaries acknowledged at once, {result['two_primaries']} times")
        if self.scenario.stops:
            # What was under way when the last step was done may still be acknowledged.
            late = [act for act in acked if self.last_step + 25 < act["t1"] < self.held]
            if late:
                wrong.append(f"writes did not stop: {len(late)} were acknowledged later than 25 s after the last step")
        else:
            for kind in ("write", "read"):
                gap, allowed = result[f"{kind}_gap"], getattr(self.scenario, f"{kind}_gap")
                if gap > allowed:
                    wrong.append(f"{gap:.1f} s without an acknowledged {kind}, at most {allowed:g} s are promised")
        return wrong


def last_look(lab):
    """The ledger and the doctor, after everything."""
    wrong = []
    begun = time.time()
    try:
        lab.wait(lambda: lab.node_ready(lab.placement.node), "the node serves", 30)
        said = lab.cosign()
        if said:
            wrong.append(f"no two of three witnesses cosign the log: {said}")
        lab.cli("ledger", "verify", "--witnesses", lab.folder / "witnesses.vkeys")
    except LabError as error:
        wrong.append(str(error))
    return {"name": "ledger", "about": "the published log verifies, and two of three witnesses have cosigned it", "wrong": wrong, "seconds": time.time() - begun}
