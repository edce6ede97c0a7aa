"""Writes to both servers all the time, each over its own socket, so that no cut link hides one: who acknowledges, and when.

    probe.py SETTINGS.json      settings: sockets (site to folder), out, stop

Run as the server's user, with the environment that Patroni has.
"""

import contextlib
import json
import socket
import sys
import threading
import time
from pathlib import Path

import psycopg

DEADLINE = 4.0


def work(site, folder, out, stop, lock):
    count, line = 0, None
    while not stop.exists():
        try:
            if line is None:
                line = psycopg.connect(f"host={folder} user=postgres dbname=postgres connect_timeout=3", autocommit=True)
                warned = []
                line.add_notice_handler(warned.append)
                line.execute("SET synchronous_commit = on")
            warned.clear()
            # A connection that waits for a standby is dropped, never cancelled: cancelled, it would be acknowledged.
            timer = threading.Timer(DEADLINE, cut, [line.pgconn.socket])
            timer.start()
            try:
                timeline = line.execute("SELECT CASE WHEN NOT pg_is_in_recovery() THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END").fetchone()[0]
                if timeline is not None:
                    count += 1
                    begun = time.time()
                    line.execute("INSERT INTO lab_probe (server, n) VALUES (%s, %s)", (site, count))
                    if not warned:
                        with lock:
                            out.write(json.dumps({"server": site, "timeline": timeline, "n": count, "t0": begun, "t1": time.time()}) + "\n")
            finally:
                timer.cancel()
        except psycopg.Error:
            if line is not None:
                with contextlib.suppress(psycopg.Error):
                    line.close()
            line = None
        time.sleep(0.1)


def cut(descriptor):
    with contextlib.suppress(OSError), socket.socket(fileno=__import__("os").dup(descriptor)) as door:
        door.shutdown(socket.SHUT_RDWR)


def main(path):
    settings = json.loads(Path(path).read_text())
    lock, stop = threading.Lock(), Path(settings["stop"])
    with open(settings["out"], "w", buffering=1) as out:
        threads = [threading.Thread(target=work, args=(site, folder, out, stop, lock), daemon=True) for site, folder in settings["sockets"].items()]
        for thread in threads:
            thread.start()
        while not stop.exists():
            time.sleep(0.1)
        for thread in threads:
            thread.join(DEADLINE + 2)


if __name__ == "__main__":
    main(sys.argv[1])
