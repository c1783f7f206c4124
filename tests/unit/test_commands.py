"""tests/commands.py: a command does not depend on what ran before it in the same process."""

from accelerate import Accelerator
from commands import run_here


def test_a_command_may_choose_another_precision_than_the_test_before_it(tmp_path):
    Accelerator(cpu=True)
    script = tmp_path / "precision.py"
    script.write_text(
        "from model.precision import build_accelerator\n"
        "print(build_accelerator('bf16').mixed_precision)\n"
    )
    assert run_here(script).stdout == "bf16\n"
    assert Accelerator(cpu=True).mixed_precision == "no"
