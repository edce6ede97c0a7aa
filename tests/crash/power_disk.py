"""What a disk may hold after the power was cut, laid out as files.

The disk of this model keeps what it must and as little more as the cut allows:

- A file's bytes and length are safe when an fsync or fdatasync of the file has returned that began after the write
  had returned. Nothing else makes them safe: neither time, nor closing, nor a sync of another file.
- A name (made, removed or moved) is safe, in the strict model, when an fsync of its folder has returned that began
  after the change. This is what POSIX promises, and less than file systems give. In the journalled model (ext4, XFS)
  names are kept in one order on each disk, and any sync of a file or folder there also keeps all that were changed
  before. Within a catalog's database the strict model gives a little more: a sync of a file or folder keeps its own
  name too, as ext4, XFS and btrfs do, because the engine counts on it (it syncs neither the folder of its keyspaces
  nor that of its blobs). `bare` takes this away.
- Of what is not safe, the mode of the cut decides:
    dropped   nothing is kept.
    half      each write and each change of a length is kept or not, as a coin falls.
    torn      the disk writes sectors of 512 bytes. By file, either every sector stands at a moment of its own, or
              all was written in order up to some place in the middle of a write.
  In the last two the changes of names are kept in order up to some place, which in the strict model is another one
  for each folder; and a file may have got its new length without its bytes, which are zero then.
- A shorter length that was not kept takes with it what was written to the file later.
- A move between two folders is kept in both or in neither; the sync of the folder it goes to makes it safe.
- Permission bits are kept. Times are not.

A call that had begun and not returned when the power was cut is unsafe, and may have had no effect in any mode.
"""

import collections
import os
import re
import stat
from dataclasses import dataclass

from power_model import FILE, FOLDER, SOCKET, Names, Resize, Sync, Write, kind_of

SECTOR = 512
DROPPED, HALF, TORN, KEPT = "dropped", "half", "torn", "kept"
STRICT, JOURNALLED, BARE = "strict", "journalled", "bare"
ENGINE = re.compile(r"site-[ab]/catalog/db-\d+(/|$)")


@dataclass
class Cut:
    """When and how the power goes, and where. `deaf_since` and `deaf_to` make the negative control: all that was
    done before that moment is safe, and from then on syncs of files, of folders or of both do nothing."""

    at: int
    mode: str
    scopes: frozenset | None = None  # the uppermost folders whose disk loses power; `None` for all
    deaf_to: str | None = None
    deaf_since: int = 0
    names: str = STRICT

    def hears(self, sync):
        if self.deaf_to is None or sync.begin < self.deaf_since:
            return True
        return self.deaf_to != "both" and (sync.inode.kind == FOLDER) != (self.deaf_to == "folders")

    def keeps_own_name(self, change):
        """Whether a sync of what a name stands for keeps this change of the name."""
        return self.names == STRICT and ENGINE.match(change.inode.born) is not None

    def reaches(self, inode):
        return self.scopes is None or inode.scope in self.scopes


class Disk:
    """The state after one cut. `chance` decides what is not decided by syncs."""

    def __init__(self, model, cut, chance):
        self.cut, self.chance, self.root = cut, chance, model.root
        self.history = collections.defaultdict(list)  # by inode: its changes, oldest first
        self.safe = set()
        self.flying = []  # had begun and not returned
        self.collect(model.effects)
        self.unsafe = sum(effect not in self.safe for history in self.history.values() for effect in history)
        self.names_kept = self.decide_names()

    def order(self, effect):
        """What a change is in one order with, and becomes safe with: its file, its folder, or all names of its disk."""
        if self.cut.names == JOURNALLED and isinstance(effect, Names):
            return effect.inode.scope
        return effect.inode

    def collect(self, effects):
        unsafe, named = collections.defaultdict(list), collections.defaultdict(list)
        for effect in effects:
            if effect.end >= self.cut.at:
                if effect.begin < self.cut.at and not isinstance(effect, Sync):
                    self.flying.append(effect)
            elif not isinstance(effect, Sync):
                self.history[effect.inode].append(effect)
                unsafe[self.order(effect)].append(effect)
                if effect.end < self.cut.deaf_since:
                    self.safe.add(effect)
                if isinstance(effect, Names) and self.cut.keeps_own_name(effect):
                    for inode in filter(None, effect.changes.values()):
                        named[inode].append(effect)
            elif self.cut.hears(effect):
                self.safe.update(e for e in named[effect.inode] if e.end < effect.begin)
                for order in (effect.inode, effect.inode.scope):
                    before = unsafe[order]
                    self.safe.update(e for e in before if e.end < effect.begin)
                    unsafe[order] = [e for e in before if e.end >= effect.begin]
        for effect in self.flying:
            self.history[effect.inode].append(effect)

    def mode_for(self, inode):
        """Where the power stays on, everything that was done is kept."""
        return self.cut.mode if self.cut.reaches(inode) else KEPT

    # --- names --------------------------------------------------------------------------------------------

    def decide_names(self):
        """Which changes of names are kept, in all folders."""
        kept = {e for e in self.safe if isinstance(e, Names)}
        orders = collections.defaultdict(list)
        for changes in self.history.values():
            for change in changes:
                if isinstance(change, Names) and change not in kept and change.follows is None:
                    orders[self.order(change)].append(change)
        for changes in orders.values():
            changes.sort(key=lambda change: (change in self.flying, change.end))
            kept.update(changes[:self.prefix(changes)])
        moves = [e for changes in self.history.values() for e in changes if isinstance(e, Names) and e.follows]
        return kept.difference(moves) | {e for e in moves if e.follows in kept}

    def prefix(self, changes):
        """How many of the unsafe changes of names that are in one order are kept."""
        mode = self.mode_for(changes[0].inode)
        if mode == DROPPED:
            return 0
        if mode == KEPT:
            return sum(change not in self.flying for change in changes)
        return self.chance.randint(0, len(changes))

    def entries(self, folder):
        """The names in a folder."""
        names = {}
        for change in self.history[folder]:
            if change in self.names_kept:
                for name, inode in change.changes.items():
                    if inode is None:
                        names.pop(name, None)
                    else:
                        names[name] = inode
        return names

    # --- bytes --------------------------------------------------------------------------------------------

    def steps(self, inode):
        """What is done to a file, in order: pairs of an offset and bytes, or of a length and `None`."""
        changes = self.history[inode]
        unsafe = [e for e in changes if e not in self.safe]
        whole, pieces = self.choose(inode, unsafe)
        length = intended = 0
        cut_off = False
        for change in changes:
            keep = change in self.safe or (change in whole and not cut_off)
            if isinstance(change, Resize):
                target = max(length, change.length) if change.only_grows else change.length
                intended = max(intended, change.length) if change.only_grows else change.length
                cut_off = cut_off or (not keep and target < length)
                if keep:
                    length = target
                    yield length, None
                continue
            intended = max(intended, change.offset + len(change.data))
            kept = [(change.offset, change.data)] if keep else [] if cut_off else pieces.get(change, [])
            for offset, data in kept:
                length = max(length, offset + len(data))
                yield offset, data
        if self.mode_for(inode) in (HALF, TORN) and intended > length and self.chance.random() < 0.25:
            yield intended, None

    def choose(self, inode, unsafe):
        """Which of the unsafe changes are kept whole, and of which writes only pieces."""
        mode = self.mode_for(inode)
        if mode == DROPPED or not unsafe:
            return set(), {}
        if mode == KEPT:
            return {e for e in unsafe if e not in self.flying}, {}
        if mode == HALF:
            return {e for e in unsafe if self.chance.random() < 0.5}, {}
        if self.chance.random() < 0.33:
            return self.up_to_a_place(unsafe)
        resized = {e for e in unsafe if isinstance(e, Resize) and self.chance.random() < 0.5}
        return resized, self.sectors([e for e in unsafe if isinstance(e, Write)])

    def up_to_a_place(self, unsafe):
        """All in order up to a sector of one write."""
        reached = self.chance.randrange(len(unsafe))
        last = unsafe[reached]
        if isinstance(last, Resize):
            return set(unsafe[:reached]), {}
        first, end = last.offset // SECTOR, (last.offset + len(last.data)) // SECTOR
        border = self.chance.randint(first, end) * SECTOR
        return set(unsafe[:reached]), {last: [(last.offset, last.data[:max(0, border - last.offset)])]}

    def sectors(self, writes):
        """Each sector as it stood after some of the writes that touch it."""
        touched = collections.Counter(number for write in writes for number, _, _ in in_sectors(write))
        # Half done, or nearly done: a few sectors that lack in a long write are a case of their own.
        done = self.chance.choice((0.5, 0.95))
        moment = {number: count if self.chance.random() < done else self.chance.randint(0, count - 1)
                  for number, count in sorted(touched.items())}
        pieces, seen = {}, collections.Counter()
        for write in writes:
            for number, offset, data in in_sectors(write):
                if seen[number] < moment[number]:
                    pieces.setdefault(write, []).append((offset, data))
                seen[number] += 1
        return pieces

    # --- files --------------------------------------------------------------------------------------------

    def lay_down(self, folder):
        """Makes the files in a folder that must not exist yet."""
        os.mkdir(folder)
        done = {}
        waiting = [(self.root, str(folder))]
        while waiting:
            above, path = waiting.pop()
            for name, inode in self.entries(above).items():
                self.lay_down_one(inode, f"{path}/{name}", done)
                if inode.kind == FOLDER:
                    waiting.append((inode, f"{path}/{name}"))

    def lay_down_one(self, inode, path, done):
        if inode in done:
            os.link(done[inode], path)
            return
        done[inode] = path
        if inode.kind == FOLDER:
            os.mkdir(path)
        elif inode.kind == SOCKET:
            os.mknod(path, stat.S_IFSOCK)
        else:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            for offset, data in self.steps(inode):
                os.ftruncate(file, offset) if data is None else os.pwrite(file, data, offset)
            os.close(file)
        os.chmod(path, [bits for moment, bits in inode.modes if moment < self.cut.at or moment == inode.modes[0][0]][-1])

    def content(self, path):
        """The bytes of one file, or `None` if there is none of that name."""
        inode = self.root
        for part in path.split("/"):
            inode = self.entries(inode).get(part) if inode and inode.kind == FOLDER else None
        if inode is None or inode.kind != FILE:
            return None
        content = bytearray()
        for offset, data in self.steps(inode):
            end = offset if data is None else offset + len(data)
            content.extend(bytes(max(0, end - len(content))))
            if data is None:
                del content[offset:]
            else:
                content[offset:end] = data
        return bytes(content)


def in_sectors(write):
    """Number, offset and bytes of each sector that a write touches."""
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        border = min(end, (at // SECTOR + 1) * SECTOR)
        yield at // SECTOR, at, write.data[at - write.offset:border - write.offset]
        at = border


def differences(one, other, limit=10):
    """How two folders differ, as sentences: names, kinds, permission bits, lengths and bytes."""
    found = []
    waiting = [""]
    while waiting and len(found) < limit:
        path = waiting.pop()
        names = [set(os.listdir(f"{folder}/{path}")) for folder in (one, other)]
        found += [f"{path}{name} is only in {one}" for name in sorted(names[0] - names[1])]
        found += [f"{path}{name} is only in {other}" for name in sorted(names[1] - names[0])]
        for name in sorted(names[0] & names[1]):
            stats = [os.lstat(f"{folder}/{path}{name}") for folder in (one, other)]
            kinds = [kind_of(s.st_mode) for s in stats]
            if kinds[0] != kinds[1]:
                found.append(f"{path}{name} is a {kinds[0]} and a {kinds[1]}")
            elif kinds[0] == FOLDER:
                waiting.append(f"{path}{name}/")
            elif kinds[0] == FILE and not same_bytes(f"{one}/{path}{name}", f"{other}/{path}{name}"):
                found.append(f"{path}{name} differs, {stats[0].st_size} and {stats[1].st_size} bytes")
            bits = [stat.S_IMODE(s.st_mode) for s in stats]
            if bits[0] != bits[1]:
                found.append(f"{path}{name} has the permission bits {bits[0]:o} and {bits[1]:o}")
    return found[:limit]


def same_bytes(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        while True:
            pieces = a.read(1 << 20), b.read(1 << 20)
            if pieces[0] != pieces[1]:
                return False
            if not pieces[0]:
                return True
