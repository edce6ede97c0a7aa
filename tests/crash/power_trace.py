"""Reads what strace wrote: system calls with their arguments, in the order in which they began and ended.

The place of a line in the trace is the clock. strace stops a thread when it enters a call and again when the
call has returned, and writes a line each time something else came between. So if one thread acts because another
one's call has returned, the trace has them in this order, and a cut between two lines is a moment that was.
"""

import re
from dataclasses import dataclass

# Calls that change files and are understood, and calls that are needed to understand them.
MODELLED = """open openat creat close dup dup2 dup3 fcntl lseek write pwrite64 writev pwritev pwritev2 ftruncate truncate
    fallocate fsync fdatasync sync_file_range rename renameat renameat2 link linkat unlink unlinkat rmdir mkdir mkdirat
    chmod fchmod fchmodat bind accept accept4 sendto sendmsg mmap clone clone3 execve""".split()
# Calls that could change files, or make them durable, in ways that nobody thought of here. None may succeed.
REFUSED = """openat2 open_by_handle_at close_range sync syncfs msync copy_file_range sendfile splice vmsplice tee sendmmsg
    symlink symlinkat mknod mknodat chdir fchdir chroot pivot_root mount umount2 move_mount unshare setns fork vfork
    io_uring_setup io_submit setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr chown fchown lchown
    fchownat utime utimes utimensat futimesat fchmodat2 remap_file_pages process_vm_writev userfaultfd memfd_create
    quotactl swapon acct""".split()

LINE = re.compile(rb"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()")
RETURNED = re.compile(rb"(0x[0-9a-f]+|-?\d+|\?)")
TOKEN = re.compile(rb"(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2})*)>)?")
TEXT = re.compile(rb'"([^"]*)"(\.\.\.)?')
UNFINISHED = b"<unfinished ...>"


class NotModelled(Exception):
    """The program did something to its files that the replay does not know; its results would mean nothing."""


@dataclass(slots=True)
class Call:
    """One system call. `end` is `None` if the process was killed inside it."""

    name: str
    args: bytes
    begin: int
    end: int | None = None
    returned: int = -1

    def words(self):
        """The arguments apart. No text has a comma, because strace writes all of it in hexadecimal."""
        return [word.strip() for word in self.args.split(b",")]

    def descriptor(self, nth=0):
        """An argument that is a descriptor: its number (or AT_FDCWD), and the path that strace saw behind it."""
        number, path = TOKEN.match(self.words()[nth] if nth else self.args).groups()
        return (number.decode() if number == b"AT_FDCWD" else int(number)), text(path or b"")

    def texts(self):
        """All quoted arguments, as bytes."""
        found = []
        for match in TEXT.finditer(self.args):
            if match.group(2):
                raise NotModelled(f"{self.name} was not written down whole")
            found.append(unhex(match.group(1)))
        return found


def unhex(hexed):
    return bytes.fromhex(hexed.translate(None, b"\\x").decode())


def text(hexed):
    return unhex(hexed).decode("utf-8", "surrogateescape")


def read(file, first=0):
    """Yields the calls in the order of their ends, and last those in which the process was killed. Calls that the
    kernel begins anew by itself are left out. Lines are counted from `first`."""
    begun = {}
    number = first
    with open(file, "rb") as lines:
        for number, line in enumerate(lines, first):
            head = LINE.match(line)
            if not head:
                # Signals and ends of threads; and "???(", a call that a thread was killed before, not in.
                if any(mark in line[:40] for mark in (b"+++ ", b"--- ", b"???(", b"<... ??? ")):
                    continue
                raise NotModelled(f"line {number - first + 1} of the trace is not understood: {line[:120]!r}")
            thread, resumed, name = head.groups()
            rest = line[head.end():].rstrip()
            if resumed is not None:
                if resumed == b"close":
                    continue
                call = begun.pop(thread, None)
                if call is None or call.name != resumed.decode():
                    raise NotModelled(f"line {number - first + 1} of the trace resumes what was not begun")
            else:
                call = Call(name.decode(), b"", number)
            if call.name == "close":
                # The number is free from the moment the call begins, and may be given out before it has returned.
                yield Call("close", rest, number, number, 0)
                continue
            if rest.endswith(UNFINISHED):
                call.args += rest[:-len(UNFINISHED)]
                begun[thread] = call
                continue
            finished = finish(call, rest, number)
            if finished is None:
                begun[thread] = call
            elif finished:
                yield call
    yield from begun.values()


def finish(call, rest, number):
    """Takes the end of a call in: true if it returned, false if the kernel begins it anew, none if the process
    was killed in it."""
    place = rest.rfind(b" = ")
    if place < 0:
        raise NotModelled(f"{call.name} has no end in the trace: {rest[-80:]!r}")
    call.args += rest[:place].rstrip().removesuffix(b")")
    value = RETURNED.match(rest, place + 3)
    if value.group(1) == b"?":
        return False if b"ERESTART" in rest[place:] else None
    call.end = number
    call.returned = int(value.group(1), 0)
    return True


def command(file):
    """The words that start a program under strace so that this module can read the trace."""
    calls = ",".join(f"?{name}" for name in MODELLED + REFUSED)
    return ["strace", "--seccomp-bpf", "-f", "-y", "-xx", "-s", "1000000000", "-e", f"trace={calls}", "-o", str(file), "--"]
