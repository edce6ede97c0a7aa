"""What the calls of a trace did to the files under one folder: every write, change of length, name and sync, each
with the moments at which it began and ended. From this `power_disk` can tell what a disk may hold after a cut.

All of it is taken from the trace. Looked up on the disk is only what was there before, and, for a process that was
killed, whether the calls it was killed in took effect. Descriptors, positions and names are followed from call to
call, so that a file is known under all its names. What is not understood raises `NotModelled`.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from power_trace import MODELLED, REFUSED, Call, NotModelled

FILE, FOLDER, SOCKET = "file", "folder", "socket"
BEFORE = -2  # the moment of what was there before anything was recorded
BLOCK = 1 << 20


@dataclass(eq=False, slots=True)
class Inode:
    """A file, a folder or a socket, whatever it is called."""

    kind: str
    born: str  # its first path, relative to the folder that is watched
    modes: list = field(default_factory=list)  # (moment, permission bits)
    entries: dict = field(default_factory=dict)  # of a folder: what is in it now
    length: int = 0  # of a file: now

    @property
    def scope(self):
        """The uppermost folder it was made in: the disk it is on."""
        return self.born.split("/", 1)[0] if "/" in self.born else ""


@dataclass(eq=False, slots=True)
class Write:
    """Bytes in a file."""

    inode: Inode
    begin: int
    end: int
    offset: int
    data: bytes


@dataclass(eq=False, slots=True)
class Resize:
    """A file's length."""

    inode: Inode
    begin: int
    end: int
    length: int
    only_grows: bool = False


@dataclass(eq=False, slots=True)
class Names:
    """Names in a folder that now mean something else, or (`None`) nothing. What `follows` another change is the
    other half of a move between folders and is as durable as that one."""

    inode: Inode
    begin: int
    end: int
    changes: dict
    follows: "Names | None" = None


@dataclass(eq=False, slots=True)
class Sync:
    """A file's bytes and length, or a folder's names, became durable."""

    inode: Inode
    begin: int
    end: int


@dataclass(eq=False, slots=True)
class Open:
    """An open file: what several descriptors may share."""

    inode: Inode | None  # none if it lies elsewhere
    append: bool = False
    synchronous: bool = False
    position: int = 0


@dataclass(eq=False, slots=True)
class Answer:
    """An HTTP response on its way out: when its first and its last piece were handed to the kernel."""

    first: int
    last: int


class Connection:
    """A socket to a client."""

    answer = None


class Model:
    """Follows one program's calls, over several lives of it."""

    def __init__(self, folder):
        self.folder = os.path.realpath(folder)
        self.root = Inode(FOLDER, "")
        self.effects = []  # in the order of their ends
        self.answers = {}  # by the request id that the response names
        self.table = {}
        self.umask = os.umask(0o22)
        os.umask(self.umask)
        self.adopt(self.root, "")

    def adopt(self, above, path):
        """Takes in what is there before the program runs: all of it is safe."""
        for name in sorted(os.listdir(os.path.join(self.folder, path))):
            place = os.path.join(self.folder, path, name)
            found = os.lstat(place)
            inode = Inode(kind_of(found.st_mode), path + name, [(BEFORE, stat.S_IMODE(found.st_mode))])
            above.entries[name] = inode
            self.effects.append(Names(above, BEFORE, BEFORE, {name: inode}))
            if inode.kind == FOLDER:
                self.adopt(inode, f"{path}{name}/")
            elif inode.kind == FILE:
                inode.length = found.st_size
                self.effects.append(Resize(inode, BEFORE, BEFORE, inode.length))
                with open(place, "rb") as file:
                    for nth, block in enumerate(iter(lambda file=file: file.read(BLOCK), b"")):
                        if block.strip(b"\0"):
                            self.effects.append(Write(inode, BEFORE, BEFORE, nth * BLOCK, block))
                self.effects.append(Sync(inode, BEFORE + 1, BEFORE + 1))
        self.effects.append(Sync(above, BEFORE + 1, BEFORE + 1))

    def follow(self, calls, last):
        """One life of the program. `last` is the moment after its end."""
        self.table = {}
        unfinished = []
        for call in calls:
            if call.end is None:
                unfinished.append(call)
            elif call.returned >= 0:
                self.take(call)
        for call in unfinished:
            self.settle(call, last)

    def take(self, call):
        if call.name in REFUSED:
            raise NotModelled(f"{call.name}({call.args[:200].decode()}) is not modelled")
        getattr(self, f"on_{call.name}")(call)

    # --- paths and descriptors ----------------------------------------------------------------------------

    def place(self, call, text, base=None):
        """The folder and the name that a path means, and the whole path, relative to the folder that is watched;
        `None` if it lies elsewhere. `base` is the place of the descriptor argument that a relative path counts from."""
        path = os.fsdecode(text)
        if not path.startswith("/"):
            number, seen = call.descriptor(base) if base is not None else ("AT_FDCWD", "")
            if number == "AT_FDCWD":
                if not seen:
                    raise NotModelled(f"{call.name} of {path!r}: a relative path")
                path = os.path.join(seen, path)
            else:
                there = self.table.get(number)
                if there is None or there.inode is None:
                    self.must_be_elsewhere(call, seen)
                    return None
                path = os.path.join(self.folder, self.path_of(there.inode), path)
        if path != self.folder and not path.startswith(self.folder + "/"):
            return None
        parts = [part for part in path[len(self.folder):].split("/") if part not in ("", ".")]
        if ".." in parts:
            raise NotModelled(f"{call.name} of {path!r}: a path with ..")
        if not parts:
            return self.root, "", ""
        above = self.root
        for part in parts[:-1]:
            above = above.entries.get(part)
            if above is None:
                raise NotModelled(f"{call.name} of {path!r} succeeded in a folder that was never made")
        return above, parts[-1], "/".join(parts)

    def look(self, place):
        above, name, _ = place
        return above.entries.get(name) if name else above

    def path_of(self, inode):
        """Where a folder is now."""
        if inode is self.root:
            return ""
        waiting = [(self.root, "")]
        while waiting:
            above, path = waiting.pop()
            for name, there in above.entries.items():
                if there is inode:
                    return path + name
                if there.kind == FOLDER:
                    waiting.append((there, f"{path}{name}/"))
        raise NotModelled(f"{inode.born} is used after it was removed")

    def opened(self, call, nth=0):
        """The open file behind a descriptor, if it is one under the folder."""
        number, seen = call.descriptor(nth)
        there = self.table.get(number)
        if isinstance(there, Open) and there.inode is not None:
            return there
        if there is None:
            self.must_be_elsewhere(call, seen)
        return None

    def must_be_elsewhere(self, call, seen):
        if seen == self.folder or seen.startswith(self.folder + "/"):
            raise NotModelled(f"{call.name} on {seen}, which nobody was seen to open")

    # --- descriptors --------------------------------------------------------------------------------------

    def on_openat(self, call):
        words = call.words()
        self.open(call, self.place(call, call.texts()[0], 0), words[2].decode(), words[3:])

    def on_open(self, call):
        words = call.words()
        self.open(call, self.place(call, call.texts()[0]), words[1].decode(), words[2:])

    def on_creat(self, call):
        self.open(call, self.place(call, call.texts()[0]), "O_WRONLY|O_CREAT|O_TRUNC", call.words()[1:])

    def open(self, call, place, flags, mode):
        flags = flags.split("|")
        if place is None:
            self.table[call.returned] = Open(None)
            return
        if "__O_TMPFILE" in flags or "O_TMPFILE" in flags:
            raise NotModelled("a file without a name")
        inode = self.look(place)
        if inode is None:
            if "O_CREAT" not in flags:
                raise NotModelled(f"{place[2]} was opened and was never made")
            inode = self.make(call, place, FILE, int(mode[0], 8))
        elif "O_TRUNC" in flags and inode.length:
            self.resize(call, inode, 0)
        synchronous = "O_SYNC" in flags or "O_DSYNC" in flags
        self.table[call.returned] = Open(inode, "O_APPEND" in flags, synchronous)

    def make(self, call, place, kind, mode):
        above, name, path = place
        inode = Inode(kind, path, [(call.begin, mode & ~self.umask)])
        self.name(call, above, {name: inode})
        return inode

    def name(self, call, folder, changes, follows=None):
        for name, inode in changes.items():
            if inode is None:
                folder.entries.pop(name)
            else:
                folder.entries[name] = inode
        self.effects.append(Names(folder, call.begin, call.end, changes, follows))
        return self.effects[-1]

    def on_close(self, call):
        self.table.pop(call.descriptor()[0], None)

    def on_dup(self, call):
        self.share(call, call.returned)

    on_dup2 = on_dup3 = on_dup

    def on_fcntl(self, call):
        if call.words()[1].startswith(b"F_DUPFD"):
            self.share(call, call.returned)

    def share(self, call, number):
        there = self.table.get(call.descriptor()[0])
        if there is None:
            self.must_be_elsewhere(call, call.descriptor()[1])
            self.table.pop(number, None)
        else:
            self.table[number] = there

    def on_accept4(self, call):
        self.table[call.returned] = Connection()

    on_accept = on_accept4

    def on_lseek(self, call):
        there = self.opened(call)
        if there:
            there.position = call.returned

    # --- bytes --------------------------------------------------------------------------------------------

    def on_write(self, call):
        there = self.table.get(call.descriptor()[0])
        if isinstance(there, Connection):
            self.answered(call, there)
            return
        there = self.opened(call)
        if there:
            offset = there.inode.length if there.append else there.position
            self.write(call, there, offset)
            there.position = offset + call.returned

    on_writev = on_sendto = on_sendmsg = on_write

    def on_pwrite64(self, call):
        self.write_at(call, call.words()[-1])

    on_pwritev = on_pwrite64

    def on_pwritev2(self, call):
        *_, offset, flags = call.words()
        if flags != b"0":
            raise NotModelled(f"pwritev2 with {flags.decode()}")
        self.write_at(call, offset)

    def write_at(self, call, offset):
        there = self.opened(call)
        if there:
            self.write(call, there, there.inode.length if there.append else int(offset))

    def write(self, call, there, offset):
        data = b"".join(call.texts())[:call.returned]
        if len(data) != call.returned:
            raise NotModelled(f"{call.name} wrote {call.returned} bytes and {len(data)} are in the trace")
        if data:
            self.effects.append(Write(there.inode, call.begin, call.end, offset, data))
            there.inode.length = max(there.inode.length, offset + len(data))
        if there.synchronous:
            # The call has this sync within it: it covers what the call itself wrote.
            self.effects.append(Sync(there.inode, call.end + 1, call.end))

    def resize(self, call, inode, length, only_grows=False):
        self.effects.append(Resize(inode, call.begin, call.end, length, only_grows))
        inode.length = max(inode.length, length) if only_grows else length

    def on_ftruncate(self, call):
        there = self.opened(call)
        if there:
            self.resize(call, there.inode, int(call.words()[1]))

    def on_truncate(self, call):
        place = self.place(call, call.texts()[0])
        if place:
            self.resize(call, self.look(place), int(call.words()[1]))

    def on_fallocate(self, call):
        there = self.opened(call)
        if there is None:
            return
        _, mode, offset, length = call.words()
        if mode == b"0":
            self.resize(call, there.inode, int(offset) + int(length), only_grows=True)
        elif mode != b"FALLOC_FL_KEEP_SIZE":
            raise NotModelled(f"fallocate with {mode.decode()}")

    def on_fsync(self, call):
        there = self.opened(call)
        if there:
            self.effects.append(Sync(there.inode, call.begin, call.end))

    on_fdatasync = on_fsync

    def on_sync_file_range(self, call):
        """Promises nothing."""

    def on_mmap(self, call):
        words = call.words()
        if b"MAP_SHARED" in words[3] and b"PROT_WRITE" in words[2] and b"MAP_ANONYMOUS" not in words[3]:
            if self.opened(call, 4):
                raise NotModelled("a file is written through memory")

    # --- names --------------------------------------------------------------------------------------------

    def on_mkdir(self, call):
        self.made(call, self.place(call, call.texts()[0]))

    def on_mkdirat(self, call):
        self.made(call, self.place(call, call.texts()[0], 0))

    def made(self, call, place):
        if place:
            self.make(call, place, FOLDER, int(call.words()[-1], 8))

    def on_bind(self, call):
        if b"AF_UNIX" in call.args and call.texts():
            place = self.place(call, call.texts()[0])
            if place:
                self.make(call, place, SOCKET, 0o777)

    def on_unlink(self, call):
        self.remove(call, self.place(call, call.texts()[0]))

    on_rmdir = on_unlink

    def on_unlinkat(self, call):
        self.remove(call, self.place(call, call.texts()[0], 0))

    def remove(self, call, place):
        if place:
            self.name(call, place[0], {place[1]: None})

    def on_rename(self, call):
        old, new = call.texts()
        self.move(call, self.place(call, old), self.place(call, new))

    def on_renameat(self, call):
        old, new = call.texts()
        self.move(call, self.place(call, old, 0), self.place(call, new, 2))

    def on_renameat2(self, call):
        if call.words()[-1] not in (b"0", b"RENAME_NOREPLACE"):
            raise NotModelled(f"renameat2 with {call.words()[-1].decode()}")
        self.on_renameat(call)

    def move(self, call, old, new):
        if old is None and new is None:
            return
        if old is None or new is None:
            raise NotModelled(f"{call.name} over the border of the folder")
        inode = self.look(old)
        if old[0] is new[0]:
            self.name(call, old[0], {old[1]: None, new[1]: inode})
        else:
            arrival = self.name(call, new[0], {new[1]: inode})
            self.name(call, old[0], {old[1]: None}, follows=arrival)

    def on_link(self, call):
        old, new = call.texts()
        self.also(call, self.place(call, old), self.place(call, new))

    def on_linkat(self, call):
        old, new = call.texts()
        self.also(call, self.place(call, old, 0), self.place(call, new, 2))

    def also(self, call, old, new):
        if new:
            if old is None:
                raise NotModelled(f"{call.name} over the border of the folder")
            self.name(call, new[0], {new[1]: self.look(old)})

    def on_chmod(self, call):
        self.permit(call, self.place(call, call.texts()[0]))

    def on_fchmodat(self, call):
        self.permit(call, self.place(call, call.texts()[0], 0))

    def permit(self, call, place):
        if place:
            self.look(place).modes.append((call.end, int(call.words()[-1], 8)))

    def on_fchmod(self, call):
        there = self.opened(call)
        if there:
            there.inode.modes.append((call.end, int(call.words()[1], 8)))

    # --- processes ----------------------------------------------------------------------------------------

    def on_clone(self, call):
        if b"CLONE_THREAD" not in call.args:
            raise NotModelled("the program started another process")

    on_clone3 = on_clone

    def on_execve(self, call):
        if call.begin != call.end or self.table:
            raise NotModelled("the program became another one")

    # --- answers ------------------------------------------------------------------------------------------

    def answered(self, call, connection):
        """The bytes go to a client. The moment at which the call begins counts: from then on they may arrive."""
        data = b"".join(call.texts())
        if data.startswith(b"HTTP/1."):
            head = data.split(b"\r\n\r\n", 1)[0].lower()
            _, found, rest = head.partition(b"x-amz-request-id: ")
            connection.answer = Answer(call.begin, call.begin)
            if found:
                self.answers[rest.split(b"\r\n", 1)[0].decode().upper()] = connection.answer
        elif connection.answer:
            connection.answer.last = call.begin

    # --- calls in which the process was killed ------------------------------------------------------------

    def settle(self, call, last):
        """Finds out on the disk whether a call in which the process was killed took effect, and takes it if so."""
        call = Call(call.name, call.args, call.begin, last, 0)
        if call.name in REFUSED:
            raise NotModelled(f"the program was killed in {call.name}")
        if call.name in ("write", "writev", "sendto", "sendmsg", "pwrite64", "pwritev", "pwritev2"):
            self.settle_write(call)
        elif call.name in ("ftruncate", "fallocate", "truncate"):
            self.settle_length(call)
        elif call.texts() and call.name not in ("chmod", "fchmodat", "execve"):
            self.settle_name(call)

    def settle_write(self, call):
        if isinstance(self.table.get(call.descriptor()[0]), Connection):
            self.take(call)
            return
        there = self.opened(call)
        if there is None or self.on_disk(there.inode) is None:
            return
        offset = there.position
        if call.name.startswith("p"):
            offset = int(call.words()[-2 if call.name == "pwritev2" else -1])
        if there.append:
            offset = there.inode.length
        data = b"".join(call.texts())
        with open(self.on_disk(there.inode), "rb") as file:
            file.seek(offset)
            found = file.read(len(data))
        call.returned = next((n for n, (a, b) in enumerate(zip(data, found)) if a != b), len(found))
        self.take(call)

    def settle_length(self, call):
        if call.name == "truncate":
            place = self.place(call, call.texts()[0])
            inode = self.look(place) if place else None
        else:
            there = self.opened(call)
            inode = there.inode if there else None
        file = self.on_disk(inode) if inode else None
        if file and file.stat().st_size != inode.length:
            self.take(call)

    def settle_name(self, call):
        based = call.name.endswith(("at", "at2")) and call.name != "creat"
        places = [self.place(call, text, 2 * nth if based else None) for nth, text in enumerate(call.texts())]
        if not places or places[-1] is None:
            return
        there = os.path.lexists(os.path.join(self.folder, places[0][2]))
        known = self.look(places[0]) is not None
        if call.name in ("link", "linkat"):
            there, known = os.path.lexists(os.path.join(self.folder, places[1][2])), self.look(places[1]) is not None
        if there != known:
            call.returned = 1 << 30  # a descriptor that nothing uses
            self.take(call)

    def on_disk(self, inode):
        """Where the file is, or `None` if it has no name any more."""
        try:
            return Path(self.folder, self.path_of(inode))
        except NotModelled:
            return None


def kind_of(mode):
    """The kind of inode that a mode from `stat` belongs to."""
    return FOLDER if stat.S_ISDIR(mode) else SOCKET if stat.S_ISSOCK(mode) else FILE


missing = [name for name in MODELLED if not hasattr(Model, f"on_{name}")]
if missing:
    raise AssertionError(f"calls without a model: {missing}")
