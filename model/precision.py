"""bf16 where the processor or GPU computes it natively, float32 elsewhere."""

import torch


def best_device() -> torch.device:
    """The accelerator PyTorch sees, or the CPU."""
    if torch.accelerator.is_available():
        return torch.device(torch.accelerator.current_accelerator().type)
    return torch.device("cpu")


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
