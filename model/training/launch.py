"""Training in several processes: starting them, sharing batches and batch norm.

Without a GPU, ``accelerate launch --num_processes N`` starts one process, whatever N is, and leaves
the others to MPI. We start them with ``torchrun``, so that the same command works everywhere.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import cast

import psutil
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from torch import nn

from model.errors import UserError
from model.network.detector import LargestObjectDetector
from model.precision import build_accelerator


def start_missing_processes() -> None:
    """Replace this process by ``torchrun`` if accelerate started one of several.

    Does nothing in any other case: without accelerate, on GPUs, or inside the processes started.

    Raises:
        UserError: if the requested number of processes is unknown.
    """
    # accelerate sets a master port only if several processes were requested, and a launcher that
    # really starts several gives each a RANK.
    several = "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_PORT" in os.environ
    if not several or "RANK" in os.environ or torch.accelerator.is_available():
        return
    launcher = psutil.Process().parent()
    number = _requested_processes(launcher.cmdline() if launcher else [])
    if number is None:
        raise UserError(
            "accelerate started one process of several, and how many cannot be told."
            f" Use: torchrun --nproc_per_node N {' '.join(sys.argv)}"
        )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", number]
    port = ["--master_port", os.environ["MASTER_PORT"]]
    arguments = [*command, *port, *sys.argv]
    if os.name == "nt":  # there execv would end this process, and accelerate with it, at once
        sys.exit(subprocess.call(arguments))
    os.execv(sys.executable, arguments)


def _requested_processes(command_line: Sequence[str]) -> str | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--num_processes", "--num-processes", nargs="?")
    return parser.parse_known_args(command_line)[0].num_processes


def build_training_accelerator(precision: str, batch_size: int) -> Accelerator:
    """An accelerator that splits each batch among the processes, so the batch size stays the same.

    Raises:
        UserError: if the batch cannot be split evenly.
    """
    sharing = DataLoaderConfiguration(split_batches=True)
    accelerator = build_accelerator(precision, dataloader_config=sharing)
    n = accelerator.num_processes
    if batch_size % n:
        raise UserError(
            f"a batch of {batch_size} cannot be shared evenly by {n} processes."
            f" Choose a multiple of {n}: --batch-size {-(-batch_size // n) * n}."
        )
    return accelerator


def share_batch_norm(
    model: LargestObjectDetector, accelerator: Accelerator
) -> LargestObjectDetector:
    """Synchronise batch norm over GPUs that share a batch; PyTorch cannot do so on CPUs."""
    if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
        # Typed as Module, but it is the same model with other batch-norm layers.
        return cast(LargestObjectDetector, nn.SyncBatchNorm.convert_sync_batchnorm(model))
    return model
