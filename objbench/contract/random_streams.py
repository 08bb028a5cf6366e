"""Common, counter-based randomness: named streams keyed by (seed, stream, counters).

Every random number of a study belongs to a named stream, and the numbers of a stream at a step
are a pure function of (seed, stream, step). So two objectives at one seed see the same initial
encoder, documents and masks whatever else they draw; a resumed run draws what an uninterrupted
one would have drawn; and a run on eight processes draws what one process draws, because every
process draws the numbers of the whole batch and keeps its own rows.

The numbers of one stream differ between a CPU and a CUDA device: torch has one generator
algorithm for each.

Shape legend: R rows of the whole (micro-)batch, B rows of this process.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def stream_key(seed: int, stream: str, *counters: int) -> int:
    """A 63-bit key that is a pure function of its arguments (BLAKE2b of their text)."""
    text = "\x1f".join([str(seed), stream, *map(str, counters)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def torch_generator(
    seed: int, stream: str, *counters: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A torch generator at the start of the stream keyed by the arguments."""
    import torch

    return torch.Generator(device=device).manual_seed(stream_key(seed, stream, *counters))


def numpy_generator(seed: int, stream: str, *counters: int) -> np.random.Generator:
    """A numpy generator (Philox, itself counter-based) at the start of the stream."""
    import numpy as np

    return np.random.Generator(np.random.Philox(stream_key(seed, stream, *counters)))


class Streams:
    """The random numbers of one batch, handed to an objective; the only source it may use.

    Each named stream continues over the calls made with its name and is independent of every
    other, so an objective that draws more does not move another objective's masks.

    Args:
        seed: the pretraining seed.
        counters: what identifies the batch: (step,) or (step, micro-batch).
        rows: R, the rows of the whole batch over all processes.
        first: index in the whole batch of this process's first row.
        count: B, the rows of this process; all rows when None.
        device: where the numbers are wanted.
    """

    def __init__(
        self,
        seed: int,
        *counters: int,
        rows: int,
        first: int = 0,
        count: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._seed = seed
        self._counters = counters
        self._rows = rows
        self._own = slice(first, first + (rows - first if count is None else count))
        self._device = device
        self._generators: dict[str, torch.Generator] = {}
        self._choices: dict[str, int] = {}

    def _generator(self, stream: str) -> torch.Generator:
        if stream not in self._generators:
            self._generators[stream] = torch_generator(
                self._seed, stream, *self._counters, device=self._device
            )
        return self._generators[stream]

    def uniform(self, stream: str, *shape: int) -> torch.Tensor:
        """Uniform numbers in [0, 1): (B, *shape) float32, this process's rows of (R, *shape).

        ``shape`` must be the same on every process.
        """
        import torch

        whole = torch.rand(
            (self._rows, *shape), generator=self._generator(stream), device=self._device
        )
        return whole[self._own]

    def integers(self, stream: str, high: int, *shape: int) -> torch.Tensor:
        """Uniform integers in [0, high): (B, *shape) int64, this process's rows.

        Raises:
            ValueError: ``high`` is below 1.
        """
        import torch

        if high < 1:
            raise ValueError(f"integers needs high >= 1, not {high}")
        whole = torch.randint(
            high, (self._rows, *shape), generator=self._generator(stream), device=self._device
        )
        return whole[self._own]

    def choice(self, stream: str) -> float:
        """A uniform number in [0, 1) for the whole batch, known to the host without a wait.

        For what is decided once a batch: what kind of batch it is, say. It is computed rather
        than fetched, so it is the same number on every process and every device. Numbers drawn
        by ``uniform`` and ``integers`` under the same name are independent of it.
        """
        number = self._choices.get(stream, 0)
        self._choices[stream] = number + 1
        key = stream_key(self._seed, f"{stream}/choice", *self._counters, number)
        # A float holds 53 bits: more of the key's 63 could be rounded up to 1.
        return (key >> 10) / 2**53
