"""Many clients with calls of all kinds: every answer must be the same as without other clients."""

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
# In bf16, results depend on the batch size.
SCORES_MAY_DIFFER = 0.05
PIXELS_MAY_DIFFER = 0.03  # relative to the larger number
TIMES = "milliseconds"


@dataclass(frozen=True)
class Request:
    """A call of the API: its endpoint, uploads and further arguments."""

    endpoint: str
    photos: tuple[Path, ...] = ()
    data: tuple[Any, ...] = ()

    def answer(self, client: Client) -> Any:
        """Upload the photos, call the endpoint, return its answer."""
        files = [client.upload(photo.read_bytes()) for photo in self.photos]
        photos = [] if not files else [files if self.endpoint == "detect_many" else files[0]]
        return client.call(self.endpoint, *photos, *self.data)


def requests() -> list[Request]:
    """Detection for samples and uploads, one or three at once; variants; facts of samples."""
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
    """Whether two answers are equal, numbers within a tolerance, times ignored."""
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
    """Results of all calls."""

    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def ask_together(port: int, seconds: float, clients: int = CLIENTS) -> Outcome:
    """Make every request alone, then random requests from all clients at once."""
    alone = Client(port)
    expected = [(request, request.answer(alone)) for request in requests()]
    outcome, until = Outcome(), time.monotonic() + seconds

    def visit(number: int) -> None:
        client, choice = Client(port), random.Random(number)
        while time.monotonic() < until:
            request, right = choice.choice(expected)
            outcome.calls[request.endpoint] += 1
            try:
                answer = request.answer(client)
            except (OSError, RuntimeError) as error:
                outcome.errors.append(f"{request}: {error}")
                continue
            if not same(right, answer):
                outcome.wrong.append(f"{request}: {answer} and not {right}")

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def rows(port: int, seconds: float) -> list[Row]:
    """Rows for errors, and answers that differ from those without other clients."""
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
