"""Packs a token stream into full sequences of equal length.

Sequence i is [CLS] and the T-1 tokens of the stream from i * (T-1) on. Documents continue
across sequences, with [SEP] between them, so nothing is padded and no token occurs twice per epoch.

Shape legend: T tokens of a sequence, n requested sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objbench.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedSequences:
    """The sequences of one part of a corpus.

    Attributes:
        tokens: (N,) uint16 or uint32, the token stream; usually a memory map.
        length: T, tokens of a sequence, [CLS] included.
        cls: id of [CLS].
        name: the corpus and its part, for messages.
    """

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    length: int
    cls: int
    name: str

    def __post_init__(self) -> None:
        if self.length < 2:
            raise ConfigError(f"sequences of {self.length} tokens are too short: use at least 2")

    def __len__(self) -> int:
        """The number of full sequences."""
        return len(self.tokens) // (self.length - 1)

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sequences ``indices``.

        Args:
            indices: (n,) int64, values in [0, len(self)).

        Returns:
            (n, T) int64 token ids, a new array.

        Raises:
            IndexError: an index is negative or too large.
        """
        if len(indices) and int(indices.min()) < 0:
            raise IndexError(f"sequence {int(indices.min())} of {self.name} does not exist")
        count, taken = len(self), self.length - 1
        rows = np.empty((len(indices), self.length), dtype=np.int64)
        rows[:, 0] = self.cls
        rows[:, 1:] = self.tokens[: count * taken].reshape(count, taken)[indices]
        return rows

    def require(self, sequences: int) -> None:
        """Refuses a corpus that is shorter than one batch.

        Raises:
            DataError: there are fewer than ``sequences`` sequences.
        """
        if len(self) < sequences:
            raise DataError(
                f"{self.name} is too short: its {len(self.tokens):,} tokens fill {len(self):,} "
                f"sequences of {self.length} tokens, and one batch needs {sequences:,}: use more "
                "text, a smaller batch or shorter sequences"
            )
