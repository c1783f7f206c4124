import pandas as pd
import pytest
from commands import run_here
from conftest import make_voc
from PIL import Image

from model.checkpoint import load_checkpoint


@pytest.mark.slow
def test_the_walkthrough_goes_from_annotations_to_a_detector(tmp_path, capfd):
    data = make_voc(tmp_path / "VOC2007", 10, 4)
    result = run_here(
        "examples/walkthrough.py", data, tmp_path / "out", "--epochs", "1", "--image-size", "64",
        "--freeze", "all", "--num-workers", "0", "--no-progress",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert len(pd.read_csv(tmp_path / "out" / "annotations.csv")) == 10
    assert "rotation" in result.stdout
    assert "going on from shipped: 1 epoch," in capfd.readouterr().out  # of the training it starts
    assert "Detection(" in result.stdout.splitlines()[-1]
    load_checkpoint(tmp_path / "out" / "run" / "best.safetensors")
    Image.open(tmp_path / "out" / "prediction.png").load()
