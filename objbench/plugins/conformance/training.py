"""The loss must fall, a resumed run must equal the whole run, and the export must load."""

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
from objbench.engine.encoder.load import load_language_model
from objbench.engine.encoder.token_head import language_model_reading
from objbench.engine.training.job import PretrainJob, PretrainOutcome
from objbench.engine.training.optimizer import build_optimizer
from objbench.engine.training.plateau import unwarned
from objbench.engine.training.trainer import pretrain
from objbench.plugins.conformance.check import Broken, Check
from objbench.plugins.conformance.subject import Subject, losses
from objbench.results.training_points import LoggedPoint

STEPS = 60
"""Number of steps on one batch, each with its own random numbers."""

LEARNING_RATE = 3e-3
_SIGMAS = 3.0
_RUN = 6
"""Number of steps of the run that is interrupted."""


def loss_falls(subject: Subject) -> str:
    """Over sixty steps on one batch, the loss of the last fifteen is below that of the first."""
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
    chance = _SIGMAS * float(((_noise(first) + _noise(last)) / part).sqrt())
    change = f"{float(first.mean()):.4g} -> {float(last.mean()):.4g} in {STEPS} steps"
    if not fall > chance:
        raise Broken(f"{change}: it falls by {fall:.2g}, but chance alone may give {chance:.2g}")
    names = [term.name for term in module.objective.terms]
    if len(names) == 1:
        return change
    terms = torch.stack(of_terms)
    before, after = terms[:part].mean(dim=0).tolist(), terms[-part:].mean(dim=0).tolist()
    each = (f"{n} {a:.4g} -> {b:.4g}" for n, a, b in zip(names, before, after, strict=True))
    return f"{change} ({', '.join(each)})"


def _noise(losses: torch.Tensor) -> torch.Tensor:
    """The variance of a curve around its course, half the mean square of successive differences.

    The variance around the mean would take the fall itself for noise (von Neumann 1941, "Distribution
    of the Ratio of the Mean Square Successive Difference to the Variance").
    """
    return losses.diff().square().mean() / 2


class _Interrupted(Exception):
    """Ends a run between two of its steps."""


def resume_changes_nothing(subject: Subject) -> str:
    """A run that is interrupted and resumed, against the same run without interruption."""
    with tempfile.TemporaryDirectory() as folder:
        whole = _trained(subject.job, Path(folder) / "whole")
        cut = Path(folder) / "cut"
        try:
            _trained(subject.job, cut, stop_at=_RUN // 2)
        except _Interrupted:
            pass
        else:
            raise Broken("the run ended before it could be interrupted")
        resumed = _trained(subject.job, cut)
        _require_the_same(whole, resumed)
    return (
        f"interrupted after {_RUN // 2 - 1} of {_RUN} steps: losses and weights equal bit for bit"
    )


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
    with unwarned():  # so short a run has learnt nothing yet
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
                f"step {left.meters.steps} has the loss {left.loss:.6g}, but {right.loss:.6g} in "
                "the resumed run"
            )
    if one.points[-1].heldout != other.points[-1].heldout:
        raise Broken("the held-out losses differ, although the training losses do not")
    # Files are compared: loading a model may add untrained weights, initialised at random.
    left_weights, right_weights = (
        load_file(run / point.encoder / "model.safetensors")
        for run, point in ((one_run, one.points[-1]), (other_run, other.points[-1]))
    )
    if any(not torch.equal(left_weights[name], right_weights[name]) for name in left_weights):
        raise Broken("the exported weights differ, although the losses do not")


def _loss(point: LoggedPoint) -> tuple[float, dict[str, float]]:
    return point.loss, dict(point.terms)


def export_loads(subject: Subject) -> str:
    """The encoder exported after a step is loaded by AutoModel and computes the same."""
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
            Path(folder) / "encoder",
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        odd = sorted(set(report["unexpected_keys"]) - _head_weights(Path(folder) / "encoder"))
        odd += sorted(map(str, report["mismatched_keys"]))
        if odd:
            raise Broken(f"the export contains weights that the encoder does not have: {odd[0]}")
        found = _states(loaded.eval(), batch.input_ids)
    if expected.shape != found.shape or not torch.allclose(expected, found, atol=1e-5):
        raise Broken("the loaded encoder computes different hidden states from the trained one")
    return f"AutoModel loads {type(loaded).__name__}, with equal hidden states"


def _head_weights(folder: Path) -> set[str]:
    """The weights that a language model of transformers has and an encoder has not."""
    if language_model_reading(folder) is None:
        return set()
    return set(load_language_model(folder).state_dict())


def _states(encoder: torch.nn.Module, ids: Tensor) -> Tensor:
    states: Tensor = encoder(input_ids=ids).last_hidden_state
    return states


CHECKS = (
    Check(
        "loss falls on one batch",
        "if an objective cannot fit one small batch, its gradient points the wrong way, or there "
        "is nothing to learn",
        "check the sign of the loss, whether labels depend on the input, and whether a "
        "temperature or weight is so large that clipping leaves nothing",
        loss_falls,
        by_mode=False,
    ),
    Check(
        "resume changes nothing",
        "long runs are stopped and resumed: state outside parameters, buffers and streams is "
        "lost, and the resumed run is a different one",
        "keep what changes during training (a queue, a running mean, a step counter) in "
        "buffers (register_buffer), and draw from `streams`",
        resume_changes_nothing,
        by_mode=False,
    ),
    Check(
        "export loads in transformers",
        "suites load the encoder with AutoModel; changes that an objective made to its modules "
        "or weights must not be needed for that",
        "keep heads and further networks as modules of the terms and the objective, and neither "
        "resize nor replace modules of the encoder",
        export_loads,
        by_mode=False,
    ),
)
