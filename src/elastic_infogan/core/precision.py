"""Which devices multiply in bf16."""

from __future__ import annotations

import torch

__all__ = ["multiplies_bf16"]


def multiplies_bf16(device: str) -> bool:
    """Whether a kind of device (`cpu`, `cuda`, `mps`) has instructions for bf16; emulated it is slower.

    A CPU without AVX-512 bf16 instructions falls back to scalar convolutions that take ten times as long.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device == "cpu" and probe is not None and bool(probe())
