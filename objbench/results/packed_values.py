"""Values of examples into codes of a few bits and back; see ``stored_examples``.

Apart from the stored models because reading a record needs no arrays.

Shape legend: N examples of a column, n of them stored.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from objbench.contract.suite import ExampleScores
from objbench.results.stored_examples import MOST, WIDTHS, PackedValues, StoredExamples

FloatArray = NDArray[np.float64]


def stored_examples(scores: ExampleScores) -> StoredExamples:
    """What a suite returned for one column, as records hold it.

    Raises:
        ValueError: the metrics have no values, differ in how many they have, or one is not finite.
    """
    values = {name: np.asarray(own, np.float64) for name, own in scores.values.items()}
    sizes = {own.shape for own in values.values()}
    if len(sizes) != 1 or len(shape := sizes.pop()) != 1 or not shape[0]:
        raise ValueError(
            "example scores need a row of values for each metric, as many for one as for another"
        )
    every = -(-shape[0] // MOST)
    return StoredExamples(
        of=blake2b(scores.of.encode(), digest_size=8).hexdigest(),
        every=every,
        metrics={name: pack(own[::every]) for name, own in values.items()},
    )


def pack(values: FloatArray) -> PackedValues:
    """(n,) values as codes: exactly where there are at most four different ones.

    Others are rounded to 1/255 of their range.

    Raises:
        ValueError: one is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError("the values of examples must be finite numbers")
    levels, codes = np.unique(values, return_inverse=True)
    bits = next((width for width in WIDTHS if levels.size <= 2**width and width < 8), 8)
    if bits == 8:
        levels = levels[[0, -1]]
        codes = np.rint((values - levels[0]) / (levels[1] - levels[0]) * 255)
    # Adding 0.0 makes -0.0 plain 0.
    return PackedValues(
        bits=bits,
        levels=tuple(float(level) + 0.0 for level in levels),
        codes=base64.b64encode(_packed(codes.astype(np.uint8), bits)).decode(),
    )


def unpack(packed: PackedValues, count: int) -> FloatArray:
    """The (n,) float64 values of ``count`` stored examples."""
    data = np.frombuffer(packed.data, np.uint8)
    ones = np.unpackbits(data, bitorder="little").reshape(-1, packed.bits)
    codes = (ones @ (1 << np.arange(packed.bits)))[:count]
    table = np.array([packed.value(code) for code in range(_codes(packed))])
    return np.asarray(table[codes], np.float64)


def unpacked(stored: StoredExamples, count: int) -> Mapping[str, FloatArray]:
    """Metric -> the (n,) float64 values of a column with ``count`` examples in all."""
    size = stored.stored(count)
    return {metric: unpack(packed, size) for metric, packed in stored.metrics.items()}


def _codes(packed: PackedValues) -> int:
    return 256 if packed.bits == 8 else len(packed.levels)


def _packed(codes: NDArray[np.uint8], bits: int) -> bytes:
    """The codes' lowest ``bits`` bits, one code after the other from the lowest bit on."""
    ones = np.unpackbits(codes[:, None], axis=1, bitorder="little")[:, :bits]
    return np.packbits(ones.reshape(-1), bitorder="little").tobytes()
