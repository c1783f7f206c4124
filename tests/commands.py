"""Run a command line without the cost of a new process."""

import runpy
import signal
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper

import pytest
from accelerate.state import AcceleratorState
from conftest import REPOSITORY


def run_here(*arguments: object) -> subprocess.CompletedProcess:
    """As :func:`conftest.run_command` does, same ``__main__`` and arguments, in this process.

    It spares the seconds a new Python takes to import PyTorch; every command line has one test that
    starts it for real. An exception that would show as a traceback there is raised here.
    """
    words = [str(argument) for argument in arguments]
    # With an encoding, as a pipe has one: on it depends which frames help is drawn with.
    out, err = (TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(REPOSITORY)
        patch.setattr(sys, "argv", words[1:] if words[0] == "-m" else words)
        forget_precision()  # of a test that made an Accelerator itself
        try:
            status = _run_main(words)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            forget_precision()
    said = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(words, status, *said)


def forget_precision() -> None:
    """Let what comes next choose another one, which accelerate allows once a process."""
    AcceleratorState._reset_state(reset_partial_state=True)


def _run_main(words: list[str]) -> int:
    try:
        if words[0] == "-m":
            with warnings.catch_warnings():  # the module may have been imported before: so it has
                warnings.filterwarnings("ignore", "'.*' found in sys.modules", RuntimeWarning)
                runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    return 0
