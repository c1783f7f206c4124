"""Any ``torchvision.transforms.v2`` pipeline step by step: parameters, pictures and boxes.

    >>> trace = trace_compose(v2.Compose([...]), photo, [[48, 30, 200, 180]], seed=7)
    >>> for step in trace.steps:
    ...     print(step.title, step.params, step.boxes, step.dropped)
    >>> trace.save("trace.png")  # a notebook displays the trace itself

The pipeline runs as it is, with shallow copies of its parts that record their outputs. So image and
boxes are those of ``compose(image, boxes)``, to the pixel.
"""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.data.images import load_image
from model.data.photo_inputs import image_source
from model.errors import UserError
from model.inspect.compose_boxes import preserved_generators
from model.inspect.compose_input import Boxes, check_pipeline, needs_labels, sample_of
from model.inspect.compose_recorder import Recorder
from model.inspect.compose_steps import ComposeTrace, copied

_ONE_AT_A_TIME = threading.RLock()  # all threads share the random generators that are seeded


def trace_compose(
    compose: Callable[..., Any],
    image: Any,
    boxes: Boxes,
    seed: int = 0,
    labels: Sequence[Any] | None = None,
) -> ComposeTrace:
    """Run a torchvision pipeline and record every step.

    The result is that of ``torch.manual_seed(seed); compose(image, boxes)``, to the pixel, with
    Python's and NumPy's generators seeded alike. The states of the generators, the pipeline and the
    arguments do not change. Random numbers on a GPU are not seeded.

    Args:
        compose: a transform of ``torchvision.transforms.v2``, usually a ``Compose``. Its parts may
            be nested, and may be your own classes and any function of image and boxes.
        image: a PIL image or a ``(C, H, W)`` tensor, passed on as it is; else anything that
            :func:`model.data.photo_inputs.image_source` takes.
        boxes: ``(N, 4)`` ``xyxy`` in pixels of ``image``, or ``tv_tensors.BoundingBoxes``, or the
            target of a detection data set: a dictionary that holds such boxes, and labels.
        seed: of all random numbers.
        labels: one per box, names or numbers, if ``boxes`` holds none. The pipeline then gets
            ``{"boxes": ..., "labels": ...}``, as it does if a ``SanitizeBoundingBoxes`` needs
            labels; otherwise it gets only the boxes.

    Raises:
        UserError: if ``compose`` is not of v2, a step takes or returns no boxes or fails, or
            ``boxes`` are not upright; the text names the step.
    """
    check_pipeline(compose, ())
    picture = image if isinstance(image, Image.Image | Tensor) else load_image(image_source(image))
    if isinstance(picture, Tensor) and picture.ndim != 3:
        raise UserError(f"a tensor to trace must be (C, H, W), not {tuple(picture.shape)}.")
    sample = sample_of(copied(picture), boxes, labels, needs_labels(compose))
    recorder = Recorder(sample)
    with _ONE_AT_A_TIME, preserved_generators():
        # torch.manual_seed would seed the generators of all GPUs too.
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        outputs = recorder.traced(compose)(sample.image, sample.target)
    return ComposeTrace(tuple(recorder.steps), outputs[0], outputs[1], seed)
