"""Carries frames between two interfaces, later and not all of them: what netem does, in a process.

    wire.py ONE TWO DELAY_MS LOSS

The frames keep their offload headers (PACKET_VNET_HDR), so segments and checksums that the kernel has put off stay put off.
"""

import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_VNET_HDR, PACKET_OUTGOING = 3, 263, 15, 4
# A link is not a store: what waits beyond this is dropped, as a full queue of a router does.
WAITING_MAX = 20_000


def door(name):
    """All frames of one interface."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    raw.bind((name, ETH_P_ALL))
    raw.setblocking(False)
    return raw


def main(one, two, delay_ms, loss):
    doors = {socket_.fileno(): socket_ for socket_ in (door(one), door(two))}
    across = dict(zip(doors, reversed(list(doors.values()))))
    delay, loss = float(delay_ms) / 1000, float(loss)
    chance, waiting, count = random.Random(7), [], 0
    while True:
        wait = None if not waiting else max(0.0, waiting[0][0] - time.monotonic())
        for ready in select.select(list(doors), [], [], wait)[0]:
            while True:
                try:
                    frame, address = doors[ready].recvfrom(1 << 17)
                except BlockingIOError:
                    break
                if address[2] == PACKET_OUTGOING or chance.random() < loss or len(waiting) >= WAITING_MAX:
                    continue
                count += 1
                heapq.heappush(waiting, (time.monotonic() + delay, count, ready, frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, came, frame = heapq.heappop(waiting)
            try:
                across[came].send(frame)
            except OSError:
                pass  # the other end is full or gone: the frame is lost, as on any wire


if __name__ == "__main__":
    main(*sys.argv[1:])
