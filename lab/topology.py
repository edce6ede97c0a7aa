"""What the lab raises, as data: places, machines, links, and where the node and its chunk stores are.

Nothing here does anything; whoever wants another placement changes it here and nowhere else.
"""

from dataclasses import dataclass, field

PARENTS = ("ctie", "luxconnect", "proximus")
# A place is a router; its machines stand behind it. Each is a network namespace of its own.
PLACES = ("a", "b", *PARENTS, "clients")
MACHINES = {"db-a": "a", "node-a": "a", "db-b": "b", "node-b": "b", **{f"parent-{name}": name for name in PARENTS}, "client": "clients"}
# Every pair of places that hears each other. A link is cut or slowed as a whole.
LINKS = {
    "a-b": ("a", "b"),
    **{f"{site}-{name}": (site, name) for site in "ab" for name in PARENTS},
    "ctie-luxconnect": ("ctie", "luxconnect"), "ctie-proximus": ("ctie", "proximus"), "luxconnect-proximus": ("luxconnect", "proximus"),
    "clients-a": ("clients", "a"), "clients-b": ("clients", "b"),
}
# What runs on a machine, in the order in which it is started.
UNITS = {
    "db-a": ("etcd", "patroni"), "db-b": ("etcd", "patroni"), "node-a": ("etcd", "gate"), "node-b": ("etcd", "gate"),
    **{f"parent-{name}": ("etcd",) for name in PARENTS}, "client": (),
}
PORTS = {"s3": 7480, "gate": 7443, "postgres": 5432, "patroni": 8008, "etcd": 2379, "etcd_peers": 2380, "witness": 7490}


@dataclass
class Placement:
    """Where the node runs and what it keeps its chunks on.

    `node` is the site of the one node. `chunks` is `folders` (both sites' folders on this machine's disk stand for what each
    site would reach); another kind of store is added in `node.py`, in `chunk_settings`, and chosen here.
    """

    node: str = "a"
    chunks: str = "folders"
    settings: dict = field(default_factory=dict)


def other(site):
    """The other site."""
    return {"a": "b", "b": "a"}[site]


def links_of(place):
    """All links that end at a place."""
    return [name for name, ends in LINKS.items() if place in ends]


def network_of(place):
    """The number of a place's own network, 10.77.N.0/24."""
    return PLACES.index(place) + 1


def address_of(machine):
    """A machine's address."""
    place = MACHINES[machine]
    behind = [name for name in MACHINES if MACHINES[name] == place]
    return f"10.77.{network_of(place)}.{10 * (behind.index(machine) + 1)}"
