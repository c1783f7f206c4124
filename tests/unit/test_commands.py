"""Command lines: none depends on what ran before it in the same process, or leaves folders."""

import pytest
from accelerate import Accelerator
from commands import run_here
from conftest import run_command


def test_a_command_may_choose_another_precision_than_the_test_before_it(tmp_path):
    Accelerator(cpu=True)
    script = tmp_path / "precision.py"
    script.write_text(
        "from model.precision import build_accelerator\n"
        "print(build_accelerator('bf16').mixed_precision)\n"
    )
    assert run_here(script).stdout == "bf16\n"
    assert Accelerator(cpu=True).mixed_precision == "no"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("-m", "model.evaluate", "--help"), ("demo/app.py", "--help"),
              ("-m", "model.predict", "no such photo.jpg"), ("train.py", "--debug", "--out", "/")],
)  # fmt: skip
def test_a_command_leaves_no_folder_for_compiled_kernels_behind(tmp_path, words, monkeypatch):
    """PyTorch makes one among the temporary files, and nothing here compiles any."""
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)  # PyTorch sets it for children
    run_command(*words, TMPDIR=str(tmp_path))
    assert not list(tmp_path.iterdir())
