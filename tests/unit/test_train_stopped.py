"""train.py stopped by signals, by a full disk and by another training, with fewer layers."""

import signal
import subprocess

import pandas as pd
import pytest
import torch
from conftest import assert_clear_error, file_size_limit, make_voc
from trainings import DRAWS_A_LOT, HEAD_ALONE, NO_PLOTS, history, start, train

from model.checkpoint import load_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shallow_network", "no_plots")]

DIFFERS = ["seconds", "images_per_s"]  # between two runs that do the same
N_PHOTOS, N_STEPS = 30, 6  # of an epoch
# train.py with the network of the fixture shallow_network.
SHALLOW = """
from torchvision.models.resnet import BasicBlock, ResNet
import model.network.backbone
model.network.backbone.resnet34 = lambda weights: ResNet(BasicBlock, [1, 1, 1, 1])
"""
# In the middle of the second epoch it says so, and goes on when it has received a signal.
WAITS_FOR_A_SIGNAL = f"""
import time
from model.training.engine import Run
finish_step = Run.finish_step
def wait(run, *arguments):
    finish_step(run, *arguments)
    if run.step == {N_STEPS + N_STEPS // 2}:
        print("inside the second epoch", flush=True)
        while not run.stop.received:
            time.sleep(0.01)
Run.finish_step = wait
"""
# Validation has no end until a signal ends it.
VALIDATES_FOR_EVER = """
import model.evaluation.predict_dataset
predict_dataset = model.evaluation.predict_dataset.predict_dataset
def validate(*arguments, **options):
    while True:
        predict_dataset(*arguments, **options)
        print("validated once", flush=True)
model.evaluation.predict_dataset.predict_dataset = validate
"""


def stop_in_the_second_epoch(process: subprocess.Popen, number: signal.Signals) -> tuple[str, str]:
    shown = []
    for line in process.stdout:
        shown.append(line)
        if line.startswith("inside"):
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return "".join(shown) + out, err


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, shallow_network):
    """A data set, and a whole run on it."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    data = make_voc(folder / "VOC2007", N_PHOTOS, 5)
    assert train(data, folder / "whole", *DRAWS_A_LOT).returncode == 0
    return data, folder / "whole"


def stop_inside_an_epoch(data, out, number: signal.Signals) -> None:
    # With a worker, which must neither take the signal for its own nor outlive the run.
    command = ("-c", SHALLOW + WAITS_FOR_A_SIGNAL + NO_PLOTS)
    process = start(data, out, *DRAWS_A_LOT, "--num-workers", "1", command=command)
    text, errors = stop_in_the_second_epoch(process, number)
    assert process.returncode == 128 + number, errors  # as a shell says it
    assert "go on with --resume" in text
    assert "Traceback" not in errors
    load_checkpoint(out / "last.safetensors")
    step = torch.load(out / "last.state.pt", weights_only=True)["step"]
    assert step == N_STEPS + N_STEPS // 2


def test_ctrl_c_leaves_a_usable_checkpoint_and_resuming_changes_nothing(uninterrupted, tmp_path):
    data, whole = uninterrupted
    stopped = tmp_path / "stopped"
    stop_inside_an_epoch(data, stopped, signal.SIGINT)
    check_that_a_full_disk_loses_nothing(data, stopped)
    resumed = train(data, stopped, *DRAWS_A_LOT, "--resume", "--num-workers", "1")
    assert resumed.returncode == 0, resumed.stderr
    assert history(whole).boxes_redrawn.min() > 0
    pd.testing.assert_frame_equal(
        history(stopped).drop(columns=DIFFERS),
        history(whole).drop(columns=DIFFERS),
        check_exact=True,
    )


def test_kill_leaves_a_usable_checkpoint_too(tmp_path):
    data = make_voc(tmp_path / "VOC2007", N_PHOTOS, 5)
    stop_inside_an_epoch(data, tmp_path / "stopped", signal.SIGTERM)


def test_kill_while_it_validates_ends_at_once_and_resuming_validates(toy_voc, tmp_path):
    out = tmp_path / "stopped"
    command = ("-c", SHALLOW + VALIDATES_FOR_EVER + NO_PLOTS)
    process = start(toy_voc, out, "--epochs", "1", command=command)
    next(line for line in process.stdout if "validated once" in line)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert not (out / "history.csv").exists()  # the epoch was not finished
    assert torch.load(out / "last.state.pt", weights_only=True)["row"]["epoch"] == 1
    assert train(toy_voc, out, "--epochs", "1", "--resume").returncode == 0
    assert history(out).val_joint.notna().tolist() == [True]


def check_that_a_full_disk_loses_nothing(data, out):
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with file_size_limit(10 * 2**20):
        result = train(data, out, "--resume", *DRAWS_A_LOT)
    assert_clear_error(result, "cannot write", "File too large", "Make room")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_two_trainings_do_not_write_to_one_folder(toy_voc, tmp_path):
    out = tmp_path / "run"
    first = start(toy_voc, out, "--epochs", "50", command=("-c", SHALLOW + NO_PLOTS))
    next(line for line in first.stdout if "steps an epoch" in line)
    try:
        second = train(toy_voc, out)
        assert first.poll() is None
    finally:
        first.kill()  # the system frees the lock of a process that dies like this
        first.communicate()
    assert_clear_error(second, "another training is writing to", "choose another --out")
    for leftover in out.iterdir():
        leftover.unlink()
    assert train(toy_voc, out, "--epochs", "1", *HEAD_ALONE).returncode == 0
