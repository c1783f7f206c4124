"""Where the network runs: on ZeroGPU Spaces batches borrow a GPU, everything else needs none.

A pass over one photo takes 40 to 100 ms on the CPU. A GPU call there waits in a queue and is taken
from the visitor's daily quota, so only many photos at once are worth one.
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

# Where a detector of this process lives; None is the best device there is. On ZeroGPU this process
# sees a GPU, but can compute on it only inside a borrowed call.
OWN_DEVICE = "cpu" if is_zero_gpu_space() else None
# Photos of one call of a function of batches. Each call that borrows a GPU takes seconds to start.
TOGETHER = 100 if is_zero_gpu_space() else 16
STARTING_SECONDS = 10  # CUDA starts, the weights are moved
SECONDS_A_PHOTO = 0.1  # mostly resizing on the CPU


def gpu_seconds(device: str | None, checkpoint: object, photos: Sequence[object]) -> int:
    """How long a batch may keep the GPU; ZeroGPU books its default of 60 seconds otherwise."""
    return STARTING_SECONDS + round(SECONDS_A_PHOTO * len(photos))


def for_batches(
    function: Callable[[str | None, Any, Sequence[Any]], Answers],
) -> Callable[[Any, Sequence[Any]], Answers]:
    """Let ``function(device, checkpoint, photos)`` borrow a GPU where that is possible.

    The function made takes ``(checkpoint, photos)``. What is passed travels to another process, so
    it must be small. When no GPU can be had, say because the visitor's quota is used up, the CPU
    answers.
    """
    if spaces is None or not is_zero_gpu_space():
        return functools.partial(function, OWN_DEVICE)
    borrowed = spaces.GPU(function, duration=gpu_seconds)

    @functools.wraps(function)
    def run(checkpoint: Any, photos: Sequence[Any]) -> Answers:
        if len(photos) < 2:  # no batch; the page draws one before it is launched
            return function(OWN_DEVICE, checkpoint, photos)
        try:
            return borrowed(None, checkpoint, photos)
        except gr.Error as refusal:
            log.warning("no GPU for %d photos, the CPU answers: %s", len(photos), refusal)
            return function(OWN_DEVICE, checkpoint, photos)

    return run
