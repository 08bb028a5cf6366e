"""Dropout for encoders that train on a CPU, with random numbers at a tenth of the cost.

torch draws dropout's random bits one by one, on one thread, from a Mersenne twister: 6.6 ms for a
million in bfloat16 and 10.7 ms in float32 on one core of an EPYC, a fifth of a small encoder's
step. Here they come from a counter: the words of a mask are the outputs of SplitMix64 (Steele, Lea
and Flood 2014, https://doi.org/10.1145/2714064.2660195; the constants of
https://prng.di.unimi.it/splitmix64.c), each a function of key and position alone, so that they are
made all at once, by vectorised operators, on as many threads as torch uses: 0.8 ms for a million
in bfloat16, 1.5 ms in float32. Only the key is drawn from torch's generator, so masks repeat when
that is seeded again, as the engine does at each step.

Everything else is as in ``torch.nn.functional.dropout``: what is kept is multiplied by 1 / (1 -
rate) in its own dtype. A decision has as many bits as the dtype, so the rate is rounded to a
multiple of 2^-16 in half precision (0.1 becomes 0.100006) and of 2^-32 in float32.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_GAMMA = 0x9E3779B97F4A7C15
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
_COINS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}
"""The integers whose bits decide, and are turned into, numbers of each dtype."""


def counted_words(key: Tensor, count: int) -> Tensor:
    """The first numbers that SplitMix64 gives when its state is ``key``.

    Args:
        key: () int64.
        count: how many.

    Returns:
        (count,) int64, all 64 bits random; a function of ``key`` alone.
    """
    # Signed and unsigned products agree in their 64 bits, and so do the rest.
    words = torch.arange(1, count + 1).mul_(_signed(_GAMMA)).add_(key)
    shifted = torch.empty_like(words)
    for shift, factor in _MIXERS:
        words.bitwise_xor_(_shifted(words, shift, shifted)).mul_(_signed(factor))
    return words.bitwise_xor_(_shifted(words, _LAST_SHIFT, shifted))


def dropout_noise(like: Tensor, rate: float) -> Tensor:
    """What dropout multiplies by: 0 with probability ``rate``, else 1 / (1 - rate).

    Draws one number from the global generator.

    Args:
        like: (...) float32, bfloat16 or float16 on a CPU; only its shape and dtype are used.
        rate: in [0, 1), rounded as described in the module's docstring.

    Returns:
        (...) in the same dtype.
    """
    coin = _COINS[like.dtype]
    bits = 8 * coin.itemsize
    key = torch.empty((), dtype=torch.int64).random_()
    words = counted_words(key, math.ceil(like.numel() * bits / 64))
    coins = words.view(coin)[: like.numel()]
    # 0 or 1, and then the bits of 0.0 or of the kept number: no conversion, one pass each.
    kept = torch.tensor(1 / (1 - rate), dtype=like.dtype).view(coin)
    coins.ge_(round(rate * 2**bits) - 2 ** (bits - 1)).mul_(kept)
    return coins.view(like.dtype).view(like.shape)


def dropout(values: Tensor, rate: float, training: bool) -> Tensor:
    """``torch.nn.functional.dropout``, by ``dropout_noise`` where possible.

    Under ``torch.compile`` it is torch's: drawing a key would break the graph in every layer, and
    a compiled graph draws fast random numbers itself.
    """
    if not training or rate == 0:
        return values
    if torch.compiler.is_compiling():
        return functional.dropout(values, rate)
    if values.device.type != "cpu" or values.dtype not in _COINS or rate >= 1:
        return functional.dropout(values, rate)
    return values * dropout_noise(values, rate)


class CountedDropout(nn.Dropout):
    """``torch.nn.Dropout`` by ``dropout``."""

    def forward(self, input: Any) -> Any:
        """(...) to (...), unchanged in evaluation mode."""
        return dropout(input, self.p, self.training)


def choose_dropout(module: nn.Module) -> None:
    """Put ``CountedDropout`` in place of every ``torch.nn.Dropout`` in ``module``."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                counted = CountedDropout(child.p).train(child.training)
                setattr(parent, name, counted)


def _shifted(words: Tensor, shift: int, out: Tensor) -> Tensor:
    """``words`` >> ``shift`` as if unsigned: the copies of the sign bit are cleared."""
    torch.bitwise_right_shift(words, shift, out=out)
    return out.bitwise_and_(2 ** (64 - shift) - 1)


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
