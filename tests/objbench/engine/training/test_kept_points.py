"""The points of a log that a record keeps: not too many, dense at first, and those that count."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.engine.training.kept_points import MOST, kept_steps


@settings(deadline=None)
@given(
    steps=st.integers(1, 10**6),
    log_every=st.integers(1, 200),
    share=st.floats(0.01, 1),
    most=st.integers(2, 600),
)
def test_kept_points_are_few_and_are_those_that_count(steps, log_every, share, most):
    exports = {max(1, round(steps * share)), steps}
    kept = kept_steps(steps, log_every, exports, most)
    assert len(kept) <= most + len(exports)
    assert steps in kept and min(log_every, steps) in kept
    assert all(step % log_every == 0 or step == steps for step in kept)
    assert min(kept) > 0 and max(kept) == steps
    assert {step for step in exports if step % log_every == 0} <= kept
    if steps <= most * log_every:
        assert kept == {*range(log_every, steps, log_every), steps}


def test_distances_grow_with_the_steps():
    kept = sorted(step // 50 for step in kept_steps(500_000, 50, []))
    assert MOST / 2 < len(kept) <= MOST
    assert kept[:50] == [*range(1, 51)]
    # 10,000^(1/499) = 1.0186 and half a point of rounding on either side.
    assert all(b - a <= 0.0187 * a + 1 for a, b in pairwise(kept))
