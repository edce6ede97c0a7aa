"""What is done to the two sites, as data. `P` stands for the site of the primary when the scenario begins, `S` for the other.

A step is (seconds after the event, what, on what). Each scenario says what a client may notice: the longest time without an
acknowledged write and without a read, in seconds, as promised to operators; and whether writes must stop instead.
"""

from dataclasses import dataclass, field

STANDBY_SECONDS, PRIMARY_SECONDS = 6.0, 30.0
# Where the node is lost as well, another one has to be started first; nothing is promised for that yet, this is what was seen.
NODE_SECONDS = 45.0


@dataclass
class Scenario:
    name: str
    about: str
    steps: list
    heal: list
    # Where the node is: on the primary's side, on the standby's, or where it happens to be.
    node: str = "P"
    # At least so long after the event; longer, up to `most`, while nothing is acknowledged yet.
    hold: float = 12.0
    most: float = 60.0
    write_gap: float = STANDBY_SECONDS
    read_gap: float = STANDBY_SECONDS
    # Writes must stop and begin again only after healing.
    stops: bool = False
    quick: bool = False
    needs: set = field(default_factory=set)


ALL = [
    Scenario("kill-standby", "the standby site's servers are killed (etcd, Patroni, PostgreSQL)",
             [(0, "kill", "db-S")], [("start", "db-S")], quick=True),
    Scenario("hang-standby", "the standby site's servers hang: their connections stay, nothing answers",
             [(0, "hang", "db-S")], [("continue", "db-S")], hold=20),
    Scenario("kill-primary", "the primary site's servers are killed; the node is at the other site",
             [(0, "kill", "db-P")], [("start", "db-P")], node="S", hold=30, write_gap=PRIMARY_SECONDS, read_gap=PRIMARY_SECONDS, quick=True),
    Scenario("hang-primary", "the primary site's servers hang; the node is at the other site",
             [(0, "hang", "db-P")], [("continue", "db-P")], node="S", hold=40, write_gap=PRIMARY_SECONDS, read_gap=PRIMARY_SECONDS),
    Scenario("power-primary", "the primary site loses its power, node, servers and links at once; the node is started at the other site",
             [(0, "cut", "P"), (0, "kill", "P"), (3, "move", "S")], [("join", "P"), ("start", "P")], hold=30, write_gap=NODE_SECONDS, read_gap=NODE_SECONDS),
    Scenario("cut-link", "the link between the sites is cut; both hear the parents",
             [(0, "cut", "a-b")], [("join", "a-b")], hold=14, quick=True),
    Scenario("isolate-primary", "the primary site hears neither the other one nor the parents, clients hear both; the node is at the other site",
             [(0, "cut", "wan-P")], [("join", "wan-P")], node="S", hold=35, write_gap=PRIMARY_SECONDS, read_gap=PRIMARY_SECONDS),
    Scenario("kill-patroni", "Patroni alone dies on the primary: PostgreSQL there still says that it takes writes",
             [(0, "kill", "db-P/patroni-alone")], [("start", "db-P/patroni")], hold=32, write_gap=PRIMARY_SECONDS, read_gap=PRIMARY_SECONDS, quick=True),
    Scenario("kill-postgres", "PostgreSQL alone dies on the primary",
             [(0, "kill", "db-P/postgres")], [], hold=20, write_gap=PRIMARY_SECONDS, read_gap=PRIMARY_SECONDS),
    Scenario("lose-parent", "one parent is lost, its vote and its witness",
             [(0, "kill", "ctie")], [("start", "ctie")], hold=10, write_gap=3, read_gap=3, needs={"witness"}),
    Scenario("lose-parent-and-standby-votes", "one parent is lost and the standby site's two votes: four of seven are left",
             [(0, "kill", "ctie"), (0, "kill", "db-S/etcd"), (0, "kill", "node-S/etcd")],
             [("start", "ctie"), ("start", "db-S/etcd"), ("start", "node-S/etcd")], hold=25),
    Scenario("lose-all-parents", "all three parents are lost: the sites together go on",
             [(0, "kill", "ctie"), (0, "kill", "luxconnect"), (0, "kill", "proximus")],
             [("start", "ctie"), ("start", "luxconnect"), ("start", "proximus")], hold=25),
    Scenario("lose-quorum", "two parents and the standby site's votes are lost: no quorum, both servers alive; failsafe mode goes on",
             [(0, "kill", "ctie"), (0, "kill", "luxconnect"), (0, "kill", "db-S/etcd"), (0, "kill", "node-S/etcd")],
             [("start", "ctie"), ("start", "luxconnect"), ("start", "db-S/etcd"), ("start", "node-S/etcd")], hold=30),
    Scenario("far-apart", "every frame between the sites takes 20 ms, each way",
             [(0, "slow", "a-b 20")], [("slow", "a-b 0")], hold=15, write_gap=3, read_gap=3),
    Scenario("lossy", "one frame in fifty between the sites is lost, and each takes 5 ms",
             [(0, "slow", "a-b 5 0.02")], [("slow", "a-b 0")], hold=20),
    Scenario("flapping", "the link between the sites comes and goes, two seconds each, five times",
             [(2 * n, "cut" if n % 2 == 0 else "join", "a-b") for n in range(10)], [("join", "a-b")], hold=30, write_gap=12, read_gap=12),
    Scenario("full-disk", "the primary's disk is full: PostgreSQL refuses rows and lives on, so nobody takes over, and writes stop until there is room",
             [(0, "fill", "P")], [("free", "P")], node="S", hold=35, stops=True, needs={"small-disks"}),
    Scenario("double-standby-then-primary", "the standby is lost, the primary goes on alone, then it is lost as well and the standby comes back: it lacks what was "
             "acknowledged and must not be promoted",
             [(0, "kill", "db-S"), (12, "kill", "db-P"), (13, "start", "db-S")], [("start", "db-P")], node="S", hold=45, stops=True),
    Scenario("double-site-and-parents", "the standby site and two parents are lost: no quorum, and not all members answer",
             [(0, "kill", "ctie"), (0, "kill", "luxconnect"), (2, "kill", "db-S"), (2, "kill", "node-S/etcd")],
             [("start", "ctie"), ("start", "luxconnect"), ("start", "db-S"), ("start", "node-S/etcd")], hold=35, stops=True),
]
BY_NAME = {scenario.name: scenario for scenario in ALL}
