"""Open hundreds of connections that never finish their request, against a running demo/app.py.

    python scripts/slow_connections.py
    python scripts/slow_connections.py --each 200 --addresses 8

A third of them sends nothing, a third half of its headers, and a third most of 0.9 MB of JSON. They
come from several addresses of this machine (Linux has all of 127.0.0.0/8), while another visitor
calls ``/detect``. Prints when they were closed, how long the other visitor waited, and memory.
"""

import argparse
import selectors
import socket
import sys
import time
from collections import Counter
from typing import cast

from image_attack import CAT, Memory, Visitor, server

HEADERS = b"POST /gradio_api/call/detect HTTP/1.1\r\nHost: localhost\r\n"
BODY = 900_000  # bytes
SENT = {
    "nothing": b"",
    "half of the headers": HEADERS,
    "most of a body": HEADERS
    + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % BODY
    + b" " * (BODY - 1),
}
LONGEST_S = 120


class Slow:
    """Connections that wait for the server to close them."""

    def __init__(self, port: int, each: int, addresses: int) -> None:
        self.started = time.monotonic()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.last: Counter[str] = Counter()  # seconds until the last of a kind was closed
        self._open = selectors.DefaultSelector()
        for number in range(each):
            for kind, content in SENT.items():
                source = f"127.0.0.{2 + number % addresses}"
                connection = socket.create_connection(("127.0.0.1", port), 60, (source, 0))
                connection.setblocking(False)
                events = selectors.EVENT_READ | selectors.EVENT_WRITE
                self._open.register(connection, events, (kind, bytearray(content)))

    def count(self) -> int:
        """Number of open connections."""
        return len(self._open.get_map())

    def go_on(self, seconds: float) -> None:
        """Send data that the server accepts, and count the connections that it closes."""
        until = time.monotonic() + seconds
        while self.count() and time.monotonic() < until:
            for key, event in self._open.select(0.05):
                (kind, content), connection = key.data, cast(socket.socket, key.fileobj)
                if event & selectors.EVENT_READ:
                    self._closed(connection, kind)
                elif content:
                    del content[: connection.send(content)]
                else:
                    self._open.modify(connection, selectors.EVENT_READ, key.data)

    def _closed(self, connection: socket.socket, kind: str) -> None:
        try:
            received = connection.recv(100)
        except OSError:
            received = b""
        self._open.unregister(connection)
        connection.close()
        self.ends[kind, received[9:12].decode() or "closed"] += 1
        self.last[kind] = round(time.monotonic() - self.started)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--each", type=int, default=200, help="connections of each kind")
    parser.add_argument("--addresses", type=int, default=8, help="from how many they come")
    settings = parser.parse_args()
    with server() as (address, process):
        alice, waited = Visitor(address, "203.0.113.9"), [0.0]
        for _ in range(3):
            alice.detect(CAT)
        memory = Memory(process)
        slow = Slow(int(address.rpartition(":")[2]), settings.each, settings.addresses)
        while slow.count() and time.monotonic() < slow.started + LONGEST_S:
            slow.go_on(1.0)
            seconds, answer = alice.detect(CAT)
            assert '"cat"' in answer, answer
            waited.append(seconds)
        for (kind, end), count in sorted(slow.ends.items()):
            print(f"{kind}: {count} ended by {end}, the last after {slow.last[kind]} s")
        print(f"{slow.count()} are still open")
        print(f"/detect of another visitor: {max(waited):.1f} s at most of {len(waited) - 1}")
        print(f"memory: {memory.most - memory.idle} MiB over idle")
        return int(slow.count() > 0)


if __name__ == "__main__":
    sys.exit(main())
