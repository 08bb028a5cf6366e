"""Counter-based common random numbers: named streams keyed by (seed, stream, counters).

Every random number of a study belongs to a named stream, and the numbers of a stream at a step
are a pure function of (seed, stream, step). Hence two objectives with the same seed see the same
initial encoder, documents and masks, whatever else they draw; a resumed run draws the same numbers
as an uninterrupted one; and a run on eight processes draws the same numbers as one on a single
process, because every process draws the numbers of the whole batch and keeps its own rows.

The numbers of a stream differ between CPU and CUDA, for which torch has different generators.

Shape legend: R rows of the whole batch, B rows of this process, or of the part of them that is
computed at a time.
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


_spare: dict[str, list[torch.Generator]] = {}
"""Device -> generators of batches that are gone. Seeding one again costs less than making one."""


class _Generators(dict[str, "torch.Generator"]):
    """The generators of one batch by stream, which nothing else uses for as long as this lives."""

    def __init__(self, device: torch.device | str) -> None:
        super().__init__()
        self._device = device
        self._spare = _spare.setdefault(str(device), [])

    def add(self, stream: str) -> torch.Generator:
        """A generator for ``stream``, in any state."""
        import torch

        self[stream] = self._spare.pop() if self._spare else torch.Generator(device=self._device)
        return self[stream]

    def __del__(self) -> None:
        """Leave the generators to other batches."""
        self._spare.extend(self.values())


class Streams:
    """The random numbers of one batch; the only source that an objective may use.

    Each named stream continues over the calls made with its name and is independent of the others,
    so an objective that draws more numbers does not change another objective's masks.

    Args:
        seed: the pretraining seed.
        counters: identify the batch, such as (step, 0).
        rows: R, the rows of the whole batch over all processes.
        first: index in the whole batch of this process's first row.
        count: B, the number of rows of this process; all following rows when None.
        device: device of the numbers.
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
        self._generators = _Generators(device)
        self._choices: dict[str, int] = {}

    def of_rows(self, first: int, count: int) -> Streams:
        """The numbers of other rows of the same batch, from where these streams are now.

        What is drawn there does not move these streams.

        Args:
            first: index in the whole batch of the first of these rows.
            count: their number.
        """
        made = Streams(
            self._seed,
            *self._counters,
            rows=self._rows,
            first=first,
            count=count,
            device=self._device,
        )
        for stream, generator in self._generators.items():
            made._generators.add(stream).set_state(generator.get_state())
        made._choices = dict(self._choices)
        return made

    def _generator(self, stream: str) -> torch.Generator:
        if stream not in self._generators:
            key = stream_key(self._seed, stream, *self._counters)
            self._generators.add(stream).manual_seed(key)
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
        """A uniform number in [0, 1) for the whole batch, known to the host without waiting.

        For decisions that are made once per batch, such as its kind. It is the same on every
        process and device, and independent of the numbers that ``uniform`` and ``integers`` draw
        under the same name.
        """
        number = self._choices.get(stream, 0)
        self._choices[stream] = number + 1
        key = stream_key(self._seed, f"{stream}/choice", *self._counters, number)
        # A float has 53 bits of precision: with more of the key's 63 bits it could round up to 1.
        return (key >> 10) / 2**53
