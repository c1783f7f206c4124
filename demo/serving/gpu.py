"""Where the network runs: on ZeroGPU Spaces batches borrow a GPU, everything else needs none.

A pass over one photo takes 40 to 100 ms on the CPU. There, a GPU call waits in a queue and is taken
from the visitor's daily quota, so it is worth it only for many photos at once.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gradio as gr
from gradio.utils import is_zero_gpu_space

try:
    import spaces
except ImportError:  # it is only there on Spaces
    spaces = None

log = logging.getLogger("demo")

Answers = TypeVar("Answers")

# The device of detectors in this process; None is the best one available. On ZeroGPU this process
# sees a GPU, but can compute on it only inside a borrowed call.
OWN_DEVICE = "cpu" if is_zero_gpu_space() else None
# Photos per call of a function for batches. Each call that borrows a GPU takes seconds to start.
PHOTOS_PER_CALL = 100 if is_zero_gpu_space() else 16
STARTING_SECONDS = 10  # CUDA starts, the weights are moved
SECONDS_A_PHOTO = 0.1  # mostly resizing on the CPU


def gpu_seconds(device: str | None, checkpoint: object, photos: Sequence[object]) -> int:
    """Seconds that a batch may keep the GPU; ZeroGPU books 60 by default."""
    return STARTING_SECONDS + round(SECONDS_A_PHOTO * len(photos))


def for_batches(
    function: Callable[[str | None, Any, Sequence[Any]], Answers],
) -> Callable[[Any, Sequence[Any]], Answers]:
    """Let ``function(device, checkpoint, photos)`` borrow a GPU where that is possible.

    The returned function takes ``(checkpoint, photos)``. Arguments are sent to another process, so
    they must be small. When no GPU is available, say because the visitor's quota is used up, the
    CPU answers.
    """
    if spaces is None or not is_zero_gpu_space():
        return functools.partial(function, OWN_DEVICE)
    borrowed = spaces.GPU(function, duration=gpu_seconds)

    @functools.wraps(function)
    def run(checkpoint: Any, photos: Sequence[Any]) -> Answers:
        if len(photos) < 2:  # no batch; also the photo that is drawn before the page is launched
            return function(OWN_DEVICE, checkpoint, photos)
        try:
            return borrowed(None, checkpoint, photos)
        except gr.Error as refusal:
            log.warning("no GPU for %d photos, the CPU answers: %s", len(photos), refusal)
            return function(OWN_DEVICE, checkpoint, photos)

    return run
