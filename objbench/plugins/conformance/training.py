"""Training: the loss falls, a resumed run is the run, and what is exported can be loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModel

from objbench.engine.encoder.export import export_encoder
from objbench.engine.training.job import PretrainJob, PretrainOutcome
from objbench.engine.training.optimizer import build_optimizer
from objbench.engine.training.trainer import pretrain
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, losses
from objbench.results.records import LoggedPoint

STEPS = 60
"""Steps on one batch, each with random numbers of its own."""

LEARNING_RATE = 3e-3
_SIGMAS = 3.0
_RUN = 6
"""Steps of the run that is cut in two."""


def loss_falls(subject: Subject) -> str:
    """Sixty steps on one batch: the last fifteen are below the first fifteen, beyond chance."""
    module, batch = subject.step(), subject.batch()
    training = subject.job.training.model_copy(update={"learning_rate": LEARNING_RATE})
    optimizer = build_optimizer(module, training)
    seen, of_terms = [], []
    for number in range(STEPS):
        result = losses(module, batch, subject.streams(batch, number))
        result.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen.append(float(result.loss.detach()))
        of_terms.append(result.means)
    curve = torch.tensor(seen, dtype=torch.float64)
    part = STEPS // 4
    first, last = curve[:part], curve[-part:]
    fall = float(first.mean() - last.mean())
    chance = _SIGMAS * float(((first.var() + last.var()) / part).sqrt())
    told = f"{float(first.mean()):.4g} -> {float(last.mean()):.4g} in {STEPS} steps"
    if not fall > chance:
        raise Broken(f"{told}: a fall of {fall:.2g}, where chance makes {chance:.2g}")
    names = [term.name for term in module.objective.terms]
    if len(names) == 1:
        return told
    terms = torch.stack(of_terms)
    before, after = terms[:part].mean(dim=0).tolist(), terms[-part:].mean(dim=0).tolist()
    each = (f"{n} {a:.4g} -> {b:.4g}" for n, a, b in zip(names, before, after, strict=True))
    return f"{told} ({', '.join(each)})"


class _Interrupted(Exception):
    """Ends a run between two of its steps."""


def resume_changes_nothing(subject: Subject) -> str:
    """A run cut in the middle and taken up again, against the same run in one piece."""
    with tempfile.TemporaryDirectory() as folder:
        whole = _trained(subject.job, Path(folder) / "whole")
        cut = Path(folder) / "cut"
        try:
            _trained(subject.job, cut, stop_at=_RUN // 2)
        except _Interrupted:
            pass
        else:
            raise Broken("the run ended before it could be cut")
        resumed = _trained(subject.job, cut)
        _require_the_same(whole, resumed)
    return f"cut after {_RUN // 2 - 1} of {_RUN} steps: losses and weights bit for bit"


def _trained(job: PretrainJob, run: Path, stop_at: int = 0) -> tuple[PretrainOutcome, Path]:
    training = job.training.model_copy(update={"log_every": 1, "checkpoint_every": 0.0})
    shortened = replace(
        job,
        training=training,
        steps=_RUN,
        export_steps=(_RUN,),
        heldout_batches=1,
        run=run,
        checkpoints=run / "checkpoints",
    )
    return pretrain(shortened, _stopping(stop_at)), run


def _stopping(step: int) -> Callable[[int, int, str], None]:
    def report(done: int, total: int, text: str) -> None:
        if done == step:
            raise _Interrupted

    return report


def _require_the_same(
    whole: tuple[PretrainOutcome, Path], resumed: tuple[PretrainOutcome, Path]
) -> None:
    (one, one_run), (other, other_run) = whole, resumed
    if one.status != "ok":
        raise Broken(f"the run ended early: {one.reason}")
    for left, right in zip(one.log, other.log, strict=True):
        if _loss(left) != _loss(right):
            raise Broken(
                f"step {left.meters.steps} has the loss {left.loss:.6g}, and {right.loss:.6g} in "
                "the run that was resumed"
            )
    if one.points[-1].heldout != other.points[-1].heldout:
        raise Broken("the held-out losses differ, and those before do not")
    # The files: loading a model may add weights that were not trained, initialised at random.
    left_weights, right_weights = (
        load_file(run / point.encoder / "model.safetensors")
        for run, point in ((one_run, one.points[-1]), (other_run, other.points[-1]))
    )
    if any(not torch.equal(left_weights[name], right_weights[name]) for name in left_weights):
        raise Broken("the exported weights differ, and the losses do not")


def _loss(point: LoggedPoint) -> tuple[float, dict[str, float]]:
    return point.loss, dict(point.terms)


def export_loads(subject: Subject) -> str:
    """After a step, the encoder alone is saved, loaded by AutoModel, and computes the same."""
    module, batch = subject.step(), subject.batch()
    optimizer = build_optimizer(module, subject.job.training)
    losses(module, batch, subject.streams(batch)).backward()
    optimizer.step()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        expected = _states(module.encoder, batch.input_ids)
        export_encoder(
            module.encoder, subject.job.tokenizer, Path(folder) / "encoder", module.objective
        )
        loaded, report = AutoModel.from_pretrained(
            Path(folder) / "encoder", output_loading_info=True
        )
        odd = sorted(report["unexpected_keys"]) + sorted(map(str, report["mismatched_keys"]))
        if odd:
            raise Broken(f"the export holds weights that the encoder does not know: {odd[0]}")
        found = _states(loaded.eval(), batch.input_ids)
    if expected.shape != found.shape or not torch.allclose(expected, found, atol=1e-5):
        raise Broken("the loaded encoder computes other hidden states than the trained one")
    return f"AutoModel loads {type(loaded).__name__}, with equal hidden states"


def _states(encoder: torch.nn.Module, ids: Tensor) -> Tensor:
    states: Tensor = encoder(input_ids=ids).last_hidden_state
    return states


CHECKS = (
    Check(
        "loss falls on one batch",
        "an objective that cannot fit one small batch has its gradient pointing elsewhere, or "
        "nothing to learn",
        "look at the sign of the loss, at labels that do not depend on the input, at a "
        "temperature or weight so large that clipping leaves nothing",
        loss_falls,
        by_mode=False,
    ),
    Check(
        "resume changes nothing",
        "long runs are stopped and go on: what is not in parameters, buffers and streams is lost, "
        "and the run that goes on is another one",
        "register_buffer what changes during training (a queue, a running mean, a count of "
        "steps), and draw from `streams`",
        resume_changes_nothing,
        by_mode=False,
    ),
    Check(
        "export loads in transformers",
        "suites get the encoder as a folder for AutoModel; what an objective has done to its "
        "modules or weights must not be needed to load it",
        "keep heads and further networks among the terms' and the objective's own modules, and "
        "neither resize nor replace the encoder's",
        export_loads,
        by_mode=False,
    ),
)
