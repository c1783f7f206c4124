"""train.py with the network people train, in processes of its own, and what it says of itself."""

import json
import re

import pytest
import torch
from commands import run_here
from conftest import REPOSITORY, free_port, make_voc, run_command
from own_data import make_blemished
from trainings import EVERY_PHASE, FAST, HEAD_ALONE, LOSES_BOXES, NO_PLOTS, history, train

from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint, read_info

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_plots")]


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_run_leaves_everything_a_reader_needs(toy_voc, tmp_path):
    out = tmp_path / "whole"
    result = train(toy_voc, out, *EVERY_PHASE, run=run_command)
    assert result.returncode == 0, result.stderr
    assert history(out).epoch.tolist() == [1, 2]
    assert history(out).loss.iloc[-1] < history(out).loss.iloc[0]
    assert {"boxes_redrawn", "boxes_given_up"} <= set(history(out).columns)
    for picture in ("augmented.png", "curves.png", "predictions.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    rows = [
        line for line in result.stdout.splitlines() if line.strip()[:1].isdigit() and "|" in line
    ]
    assert len({len(row) for row in rows}) == 1  # fixed columns
    model, info = load_checkpoint(out / "best.safetensors")
    assert info.config["lr"] == 1e-3
    assert info.config["out"] == "whole"  # a checkpoint travels; the folders of this disk do not
    assert "/" not in json.dumps(info.config)
    assert info.config["augment"]["flip_probability"] == 0.5
    assert info.image_size == model.image_size == 64
    assert info.versions["torch"] == torch.__version__
    assert info.metrics["split"] == "val"
    best = history(out).val_joint.max()
    assert info.metrics["joint"] == pytest.approx(best)


def test_two_processes_see_each_photo_once_and_agree(tmp_path):
    """Also on what is left out, and on what shows nothing."""
    data = make_blemished(tmp_path / "VOC2007", 23, 8)
    one, two, report = tmp_path / "one", tmp_path / "two", tmp_path / "report.json"
    arguments = ["--data", data, *FAST, *LOSES_BOXES, *HEAD_ALONE, "--batch-size", "10",
                 "--negatives", "0.05"]  # fmt: skip
    assert run_here("train.py", "--out", one, *arguments).returncode == 0
    script = tmp_path / "without_plots.py"
    script.write_text(NO_PLOTS)
    launch = ["-m", "accelerate.commands.launch", "--num_processes", "2", "--main_process_port"]
    result = run_command(
        *launch, free_port(), script, "--out", two, *arguments,
        OMP_NUM_THREADS="1", PYTHONPATH=str(REPOSITORY),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "19 photos from train, 2 steps an epoch, 2 process(es), cpu" in result.stdout
    assert result.stdout.count("an epoch shows 1 of 2 backgrounds\n") == 1
    left_out = [line for line in result.stdout.splitlines() if line.startswith("left out")]
    assert [line.rpartition(": ")[2] for line in left_out] == [
        "000001.jpg, 000005.jpg.", "000025.jpg, 000027.jpg.",
    ]  # fmt: skip
    assert result.stdout.count("epoch      lr") == 1  # only the main process speaks
    # The first losses come from the same photos, drawn alike, in the same two batches: only batch
    # norm, which averages over the photos of one process, tells the runs apart.
    assert history(two).loss.iloc[0] == pytest.approx(history(one).loss.iloc[0], rel=0.1)
    assert len(history(two)) == 2
    # In the second epoch too: every process must have heard that it began.
    lost = ["boxes_redrawn", "boxes_given_up"]
    assert history(two)[lost].equals(history(one)[lost])
    assert history(one).boxes_redrawn.nunique() == 2
    assert history(two).val_joint.notna().all()

    command = ["-m", "model.evaluate", "--data", data, "--no-progress", "--json", report]
    result = run_here(*command, "--checkpoint", two / "last.safetensors")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("): 000025.jpg, 000027.jpg.") == 1
    assert json.loads(report.read_text())["n_images"] == 5


def test_every_flag_has_its_own_help():
    text = run_here("train.py", "--help").stdout
    rows = [line.strip("│ ") for line in text.splitlines() if line.startswith("│")]
    helps, flag = {}, ""
    for row in rows:
        if row.startswith("-"):  # a flag, and the help beside it if there is room
            flag, _, words = re.match(r"(--?[\w.-]+)(.*?)(?:\s{2,}(.*))?$", row).groups()
            helps[flag] = words or ""
        elif flag:
            helps[flag] += " " + row
    assert len(helps) > 40
    headings = re.findall(r"^    # (.*)\n    \w+:", (REPOSITORY / "train.py").read_text(), re.M)
    assert {"network", "optimisation", "running"} <= set(headings)
    for flag, words in helps.items():
        words = words.split("(default:")[0].strip()
        assert len(words.split()) >= 3, flag
        assert not words.startswith(tuple(h for h in headings if "JSON" not in h)), flag
    assert len(set(helps.values())) == len(helps)


def test_going_on_from_the_shipped_weights_has_defaults_for_few_photos(tmp_path):
    data = make_voc(tmp_path / "VOC2007", 12, 4)
    result = run_here(
        "train.py", "--data", data, "--out", tmp_path / "run", "--start-from", "shipped",
        "--epochs", "1", "--image-size", "64", "--no-progress", "--num-workers", "0",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert (
        "going on from shipped: 1 epoch, batches of 8, rate 0.0005, frozen: stem, batch-norm"
        " statistics" in result.stdout
    )
    info = read_info(tmp_path / "run" / "last.safetensors")
    assert info.config["freeze_batch_norm"]
    assert info.config["start_from"] == "shipped"
    assert info.calibration == read_info(DEFAULT_CHECKPOINT).calibration
    assert "not calibrated, keeps the calibration" in result.stdout
    before, after = (
        load_checkpoint(path)[0].state_dict()
        for path in (DEFAULT_CHECKPOINT, tmp_path / "run" / "last.safetensors")
    )
    same = [name for name in before if name.endswith(("running_mean", "running_var"))]
    assert all(torch.equal(before[name], after[name]) for name in same)
