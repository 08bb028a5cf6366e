"""The smallest batches must work, or be refused with a one-line reason."""

from __future__ import annotations

import math

from objbench.errors import ObjbenchError, one_line
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, losses, on_rows

_CASES = {
    "one sequence": (slice(0, 1), slice(None)),
    "two tokens": (slice(None), slice(0, 2)),
    "one token": (slice(None), slice(0, 1)),
    "one token of one sequence": (slice(0, 1), slice(0, 1)),
}


def smallest_batches(subject: Subject) -> str:
    """A batch of one sequence, and sequences of one and two tokens, forward and backward."""
    whole = subject.batch()
    refusals = {}
    for name, (rows, columns) in _CASES.items():
        module = subject.step()
        batch = on_rows(whole, whole.input_ids[rows, columns], subject.job.vocabulary.special)
        try:
            result = losses(module, batch, subject.streams(batch))
            if result.loss.requires_grad:
                result.backward()
        except ObjbenchError as reason:
            refusals[name] = one_line(reason)
            continue
        except Exception as error:
            raise Broken(f"{name}: {type(error).__name__}: {one_line(error)}") from error
        if not math.isfinite(float(result.loss.detach())):
            raise Broken(f"{name}: the loss is {float(result.loss.detach())}")
    worked = [name for name in _CASES if name not in refusals]
    parts = [f"works: {', '.join(worked)}"] if worked else []
    if refusals:
        first = next(iter(refusals.values()))
        parts.append(f"refused: {', '.join(refusals)} ({first[:120]})")
    return "; ".join(parts)


CHECKS = (
    Check(
        "smallest batches",
        "a short document or the end of the held-out text can lead to such a batch, and a shape "
        "error from inside a loss does not tell users what to do",
        "return a total and count of 0 from a term without items (beware of divisions), or raise "
        "objbench.ConfigError with one line that says what the objective needs",
        smallest_batches,
    ),
)
