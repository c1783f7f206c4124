"""Several processes: batch norm over the whole batch, and systems that lack POSIX calls."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from model.loading import dataset
from model.network.detector import LargestObjectDetector
from model.training.launch import share_batch_norm, start_missing_processes


@pytest.mark.parametrize(("number", "device", "shares"), [(2, "cuda", True), (1, "cuda", False),
                                                          (2, "cpu", False)])  # fmt: skip
def test_batch_norm_sees_the_whole_batch_where_gpus_share_it(number, device, shares):
    model = LargestObjectDetector(image_size=64)
    names = list(model.state_dict())
    accelerator = SimpleNamespace(num_processes=number, device=torch.device(device))
    shared = share_batch_norm(model, accelerator)
    assert shared is model
    assert list(shared.state_dict()) == names
    layers = [m for m in shared.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert all(isinstance(layer, nn.SyncBatchNorm) == shares for layer in layers)


def test_processes_are_started_where_a_program_cannot_replace_itself(monkeypatch):
    """Windows' execv ends the calling process at once, and whoever waits for it goes on."""
    parent = SimpleNamespace(cmdline=lambda: ["accelerate", "launch", "--num_processes", "3"])
    called = []
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=lambda: parent))
    monkeypatch.setattr(subprocess, "call", lambda words: called.append(words) or 7)
    monkeypatch.setattr(sys, "argv", ["train.py", "--out", "run"])
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr("model.training.launch.os", SimpleNamespace(name="nt", environ={
        "ACCELERATE_MIXED_PRECISION": "no", "MASTER_PORT": "29500",
    }))  # fmt: skip
    with pytest.raises(SystemExit) as end:
        start_missing_processes()
    assert end.value.code == 7
    assert called[0][-3:] == ["train.py", "--out", "run"]
    assert called[0][called[0].index("--nproc_per_node") + 1] == "3"


def test_workers_start_without_process_groups(monkeypatch):
    monkeypatch.delattr(os, "setpgid")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        dataset._leave_the_process_group(0)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
