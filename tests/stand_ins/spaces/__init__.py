"""Stands in for Hugging Face's ``spaces`` on ZeroGPU: notes every GPU call, and what is forbidden.

Each line of the file ``$SPACES_LOG`` is one call: its function, the seconds it asked for, and the
problem, if any. While ``$SPACES_LOG.refuse`` exists every call is refused, as for a visitor whose
daily quota is used up.
"""

import functools
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio

_LOG = Path(os.environ["SPACES_LOG"])
_launch = gradio.Blocks.launch
_state = {"launched": False}


@functools.wraps(_launch)
def _noted_launch(*args: Any, **kwargs: Any) -> Any:
    _state["launched"] = True
    return _launch(*args, **kwargs)


gradio.Blocks.launch = _noted_launch


def _note(function: str, seconds: Any, problem: str = "") -> None:
    with _LOG.open("a") as log:
        log.write(json.dumps({"function": function, "seconds": seconds, "problem": problem}) + "\n")
    if problem:
        raise RuntimeError(problem)


def GPU(task: Callable | None = None, *, duration: Any = None, size: str | None = None) -> Any:  # noqa: N802
    if task is None:
        return functools.partial(GPU, duration=duration, size=size)

    @functools.wraps(task)
    def borrowed(*args: Any, **kwargs: Any) -> Any:
        seconds = duration(*args, **kwargs) if callable(duration) else duration
        if not _state["launched"]:
            _note(task.__name__, seconds, "a GPU was asked for before launch()")
        if seconds is None:
            _note(task.__name__, seconds, "a GPU was asked for without a duration")
        if _LOG.with_name(_LOG.name + ".refuse").exists():
            raise gradio.Error("You have exceeded your free ZeroGPU quota.")
        _note(task.__name__, seconds)
        # What goes to the process with the GPU, and what comes back, is pickled.
        args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))
        return pickle.loads(pickle.dumps(task(*args, **kwargs)))

    return borrowed
