"""bf16 where the processor or GPU computes it natively, float32 elsewhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:  # predicting must not pay for importing it
    from accelerate import Accelerator

Made = TypeVar("Made")


def best_device() -> torch.device:
    """The accelerator PyTorch sees, or the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device(accelerator.type if accelerator else "cpu")


def has_native_bf16(device: torch.device | str) -> bool:
    """Whether bf16 is faster than float32 there: emulated bf16 is several times slower."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # No public call says this for CPUs; a PyTorch without these two gets float32, always right.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


def autocast(device: torch.device | str, enabled: bool) -> torch.autocast:
    """``torch.autocast`` to bf16, or a context that does nothing."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=enabled)


def build_accelerator(precision: str, **options: Any) -> "Accelerator":
    """accelerate's device, processes and precision; one loop for CPU, one GPU or many.

    Args:
        precision: ``"bf16"``, ``"fp32"``, or ``"auto"``.
        options: for :class:`accelerate.Accelerator`.
    """
    from accelerate import Accelerator

    device = best_device()
    bf16 = precision == "bf16" or (precision == "auto" and has_native_bf16(device))
    # Without `cpu` accelerate does not look for other CPU processes.
    return Accelerator(
        mixed_precision="bf16" if bf16 else "no", cpu=device.type == "cpu", **options
    )


def from_main_process(accelerator: "Accelerator", make: Callable[[], Made]) -> Made:
    """What the main process makes or reads, on all processes; all of them must call.

    With several machines, the folder of a run lies on the disk of the first alone.
    """
    from accelerate.utils import broadcast_object_list

    made = [make() if accelerator.is_main_process else None]
    return broadcast_object_list(made)[0]
