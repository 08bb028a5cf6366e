"""Out of memory: recognised in the errors of the host and of the device."""

from __future__ import annotations

# Of torch on a CPU, and of XLA and MPS: they have no class of their own.
_WORDS = ("can't allocate memory", "out of memory", "not enough memory", "Cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or one that caused it, says that memory was not enough."""
    import torch

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(seen, RuntimeError | OSError) and any(w in str(seen) for w in _WORDS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
