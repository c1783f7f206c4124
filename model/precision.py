"""Device and precision: bf16 where the CPU or GPU supports it natively, else float32."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:  # slow to import, and not needed for prediction
    from accelerate import Accelerator

Made = TypeVar("Made")


def best_device() -> torch.device:
    """The GPU or other accelerator that PyTorch finds, or the CPU."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return torch.device(accelerator.type if accelerator else "cpu")


def has_native_bf16(device: torch.device | str) -> bool:
    """Whether the device computes bf16 without emulation, which is several times slower."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # There is no public function for CPUs; a PyTorch without these two uses float32.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


def autocast(device: torch.device | str, enabled: bool) -> torch.autocast:
    """``torch.autocast`` to bf16, or a context that does nothing."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=enabled)


def build_accelerator(precision: str, **options: Any) -> "Accelerator":
    """An accelerator for :func:`best_device`, one process or many, and a precision.

    Args:
        precision: ``"bf16"``, ``"fp32"``, or ``"auto"``.
        options: for :class:`accelerate.Accelerator`.
    """
    from accelerate import Accelerator

    device = best_device()
    bf16 = precision == "bf16" or (precision == "auto" and has_native_bf16(device))
    # accelerate joins other CPU processes only with ``cpu``.
    return Accelerator(
        mixed_precision="bf16" if bf16 else "no", cpu=device.type == "cpu", **options
    )


def broadcast_from_main(accelerator: "Accelerator", make: Callable[[], Made]) -> Made:
    """The result of ``make`` in the main process, sent to all processes; all must call it.

    With several machines, only the first has the run folder on its disk.
    """
    from accelerate.utils import broadcast_object_list

    made = [make() if accelerator.is_main_process else None]
    return broadcast_object_list(made)[0]
