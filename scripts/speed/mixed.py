"""Many clients with calls of all kinds at once: is every answer the one that comes alone?"""

import math
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speed.measure import Row
from speed.server import ROOT, Client

CLIENTS = 32
# In bf16, sums depend on how many photos go through the network together.
SCORES_MAY_DIFFER = 0.05
PIXELS_MAY_DIFFER = 0.03  # of the larger number
TIMES = "milliseconds"


@dataclass(frozen=True)
class Request:
    """A call of the API: uploads, and what is asked of them."""

    endpoint: str
    photos: tuple[Path, ...] = ()
    data: tuple[Any, ...] = ()

    def answer(self, client: Client) -> Any:
        """Upload, ask, read the answer."""
        files = [client.upload(photo.read_bytes()) for photo in self.photos]
        photos = [] if not files else [files if self.endpoint == "detect_many" else files[0]]
        return client.call(self.endpoint, *photos, *self.data)


def requests() -> list[Request]:
    """Photos of the server and uploads, one or three at once, variants, facts."""
    photos = sorted((ROOT / "examples").glob("*.jpg"))
    names = [photo.stem for photo in photos]
    return [
        *(Request("detect", (photo,), ("", "")) for photo in photos),
        *(Request("detect", (), (None, name, "")) for name in names),
        *(Request("sample", (), (name,)) for name in names),
        *(
            Request("augment", (), (None, name, None, {"rotation_degrees": 20}, seed, 2, True, ""))
            for seed, name in enumerate(names[:3])
        ),
        *(Request("detect_many", tuple(some), ("",)) for some in (photos[:3], photos[3:6])),
    ]


def same(one: Any, other: Any, key: str = "") -> bool:
    """Whether two answers say the same; numbers may differ a little, times may differ."""
    if key == TIMES:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], k) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=PIXELS_MAY_DIFFER, abs_tol=SCORES_MAY_DIFFER)
    return one == other


@dataclass
class Outcome:
    """What came of all calls."""

    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def ask_together(port: int, seconds: float, clients: int = CLIENTS) -> Outcome:
    """Ask everything alone, then all clients anything, again and again."""
    alone = Client(port)
    expected = [(request, request.answer(alone)) for request in requests()]
    outcome, until = Outcome(), time.monotonic() + seconds

    def visit(number: int) -> None:
        client, choice = Client(port), random.Random(number)
        while time.monotonic() < until:
            request, one = choice.choice(expected)
            outcome.calls[request.endpoint] += 1
            try:
                answer = request.answer(client)
            except (OSError, RuntimeError) as error:
                outcome.errors.append(f"{request}: {error}")
                continue
            if not same(one, answer):
                outcome.wrong.append(f"{request}: {answer} and not {one}")

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def rows(port: int, seconds: float) -> list[Row]:
    """Errors, and answers unlike the one that came alone."""
    outcome = ask_together(port, seconds)
    for problem in (outcome.errors + outcome.wrong)[:5]:
        print(problem[:600])
    total = outcome.calls.total()
    what = f"{CLIENTS} clients with mixed calls for {seconds:.0f} s: "
    note = ", ".join(f"{count} `/{name}`" for name, count in sorted(outcome.calls.items()))
    return [
        Row(f"{what}errors", f"{len(outcome.errors)} of {total}", "0", note),
        Row(f"{what}answers unlike the one alone", f"{len(outcome.wrong)} of {total}", "0"),
    ]
