"""``accelerate launch --num_processes N`` on a machine without a GPU.

There, accelerate starts one process whatever N is, and leaves the rest to MPI. We start the others
with ``torchrun``, so that one command line means the same everywhere.
"""

import os
import sys
from collections.abc import Sequence

import psutil
import torch

from model.errors import UserError


def start_missing_processes() -> None:
    """Replace this process by ``torchrun`` if accelerate started one of several.

    Does nothing in any other case: without accelerate, on GPUs, or inside the processes started.

    Raises:
        UserError: if it cannot be told how many processes were asked for.
    """
    # accelerate names a meeting point only when several processes were asked for, and whoever
    # really starts several gives each a RANK.
    several = "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_PORT" in os.environ
    if not several or "RANK" in os.environ or torch.accelerator.is_available():
        return
    launcher = psutil.Process().parent()
    number = _asked_for(launcher.cmdline() if launcher else [])
    if number is None:
        raise UserError(
            "accelerate started one process of several, and how many cannot be told."
            f" Use: torchrun --nproc_per_node N {' '.join(sys.argv)}"
        )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", number]
    port = ["--master_port", os.environ["MASTER_PORT"]]
    os.execv(sys.executable, [*command, *port, *sys.argv])


def _asked_for(command_line: Sequence[str]) -> str | None:
    for name in ("--num_processes", "--num-processes"):
        for i, word in enumerate(command_line):
            if word == name and i + 1 < len(command_line):
                return command_line[i + 1]
            if word.startswith(f"{name}="):
                return word.split("=", 1)[1]
    return None
