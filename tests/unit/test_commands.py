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
@pytest.mark.usefixtures("nothing_left_behind")
def test_a_command_that_ends_with_a_traceback_leaves_no_folder_either():
    """Other endings, of each command, are looked at where it is started for something else."""
    assert "Traceback" in run_command("train.py", "--debug", "--out", "/").stderr
