"""A tiny job that the engine's tests share, and a script that trains it in a process of its own.

As a script it serves requests to train in processes that can be killed; see ``serve``.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import itertools
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import BertTokenizerFast

from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, Term, TermLoss
from objbench.data.packed_sequences import PackedSequences
from objbench.engine.training.job import PretrainJob
from objbench.study.settings import EncoderSection, TrainingSection
from objbench_objectives.adaptive import AdaptiveMasking
from objbench_objectives.rtd import ReplacedTokenDetection

WORDS = 60
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOKENS = (*SPECIAL, *(f"w{number}" for number in range(WORDS)))
VOCABULARY = Vocabulary(
    size=len(TOKENS), pad=0, cls=2, sep=3, mask=4, special=(0, 1, 2, 3, 4), tokens=TOKENS
)
LENGTH = 12


class Recover(Term):
    """Cross-entropy at every masked slot, through a linear head."""

    name = "recover"
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.WORD_EMBEDDINGS, Need.LABELS})

    def __init__(self, encoder_spec: EncoderSpec) -> None:
        super().__init__()
        self.dense = nn.Linear(encoder_spec.width, encoder_spec.embedding_width)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        targets = encoder_pass.need(Need.LABELS)
        positions = encoder_pass.batch.positions
        states = encoder_pass.last_hidden_state
        states = states.gather(1, positions[..., None].expand(-1, -1, states.shape[-1]))
        logits = self.dense(states) @ encoder_pass.need(Need.WORD_EMBEDDINGS).T
        total = nn.functional.cross_entropy(
            logits.flatten(0, 1).float(),
            targets.flatten(),
            ignore_index=IGNORE_INDEX,
            reduction="sum",
        )
        return TermLoss(total, (targets != IGNORE_INDEX).sum().float())


class Move(Term):
    """How far the encoder moves each position from its embedding; draws from its own stream."""

    name = "move"
    weight = 0.5
    needs = frozenset({Need.LAST_HIDDEN_STATE, Need.EMBEDDING_OUTPUT})

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        moved = encoder_pass.last_hidden_state - encoder_pass.need(Need.EMBEDDING_OUTPUT)
        weights = streams.uniform("move", moved.shape[1])
        lengths = moved.float().square().mean(dim=-1)
        return TermLoss((lengths * weights).sum(), weights.sum())


class TinyMlm(Objective):
    """Masks three positions of each sequence; as many as two of them in use."""

    name = "tiny"
    summary = "for the tests"
    reference = ""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Config(Objective.Config):
        poison_step: int = -1
        scale: float = float("nan")

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__(config, encoder_spec)
        self.set_terms(*self.make_terms(encoder_spec))

    def make_terms(self, encoder_spec: EncoderSpec) -> list[Term]:
        return [Recover(encoder_spec)]

    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        scores = streams.uniform("mask", batch.input_ids.shape[1])
        positions = scores.masked_fill(batch.special, -1).topk(3, dim=1).indices
        original = batch.input_ids.gather(1, positions)
        used = torch.stack([streams.uniform("used") < 2, *[streams.uniform("used") < 0.5] * 2], 1)
        masked = torch.where(used, VOCABULARY.mask, original)
        return Corrupted.of(
            batch,
            input_ids=batch.input_ids.scatter(1, positions, masked),
            positions=positions,
            targets=original.masked_fill(~used, IGNORE_INDEX),
        )


class TinyBoth(TinyMlm):
    """The same corruption with a second, weighted term."""

    name = "tiny-both"

    def make_terms(self, encoder_spec: EncoderSpec) -> list[Term]:
        return [Recover(encoder_spec), Move()]


class Poisoned(TinyMlm):
    """Multiplies the loss of one step by ``scale``."""

    name = "poisoned"

    def make_terms(self, encoder_spec: EncoderSpec) -> list[Term]:
        recover = Recover(encoder_spec)
        calls = iter(range(10**9))
        plain, config = recover.forward, self.config

        def forward(encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
            loss = plain(encoder_pass, streams)
            # Call 0 is the warm-up's, so call n + 1 is step n's.
            if recover.training and next(calls) == config.poison_step + 1:
                return TermLoss(loss.total * config.scale, loss.count)
            return loss

        recover.forward = forward
        return [recover]


OBJECTIVES = {
    kind.name: kind
    for kind in (TinyMlm, TinyBoth, Poisoned, ReplacedTokenDetection, AdaptiveMasking)
}


def tokenizer(folder: Path) -> BertTokenizerFast:
    return BertTokenizerFast(vocab={token: index for index, token in enumerate(TOKENS)})


def sequences(seed: int, count: int, name: str) -> PackedSequences:
    """A stream in which each word follows its predecessor more often than not."""
    draw = np.random.default_rng(seed)
    words = np.cumsum(draw.integers(0, 3, count * (LENGTH - 1))) % WORDS + len(SPECIAL)
    return PackedSequences(tokens=words.astype(np.uint16), length=LENGTH, cls=2, name=name)


def encoder_section(**fields: Any) -> EncoderSection:
    small = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 16,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
    return EncoderSection(model_type="bert", config={**small, **fields})


def tiny_job(run: Path, objective: str = "tiny", **options: Any) -> PretrainJob:
    """A job of a few milliseconds a step; ``options`` go to whatever has a field of that name."""
    training = {
        "batch": 8,
        "learning_rate": 1e-2,
        "log_every": 5,
        "checkpoint_every": 1e9,
    }
    kind = OBJECTIVES[objective]
    config: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    encoder: dict[str, Any] = {}
    for name, value in options.items():
        if name in TrainingSection.model_fields:
            training[name] = value
        elif name in {field.name for field in dataclasses.fields(kind.Config)}:
            config[name] = value
        elif name in {field.name for field in dataclasses.fields(PretrainJob)}:
            fields[name] = value
        else:
            encoder[name] = value
    defaults: dict[str, Any] = {
        "steps": 20,
        "seed": 0,
        "heldout_batches": 2,
        "key": "k" * 64,
        "export_steps": (10, 20),
        "train": sequences(1, 100, "train"),
        "heldout": sequences(2, 30, "heldout"),
    }
    return PretrainJob(
        objective=kind,
        config=kind.Config(**config),
        encoder=encoder_section(**encoder),
        training=TrainingSection(**training),
        length=LENGTH,
        vocabulary=VOCABULARY,
        tokenizer=tokenizer(run),
        run=run,
        encoders=f"encoders/{objective}",
        checkpoints=run / "checkpoints" / objective,
        **{**defaults, **fields},
    )


def train(run: str, result: str, options: dict[str, Any]) -> None:
    """Train, and write what came out; the weights are in the exported encoders."""
    from objbench.engine.training.trainer import pretrain

    torch.set_num_threads(1)
    outcome = pretrain(tiny_job(Path(run), **options), lambda done, total, text: None)
    if os.environ.get("RANK", "0") == "0":
        body = {
            "status": outcome.status,
            "losses": [[p.meters.steps, p.loss, p.terms] for p in outcome.log],
            "heldout": [p.heldout for p in outcome.points],
            "common": [p.common.model_dump(exclude={"of", "error"}) for p in outcome.points],
            "encoders": [p.encoder for p in outcome.points],
            "seconds": [p.meters.seconds for p in outcome.log],
            "flops": outcome.cost.flops_per_step,
            "tokens": outcome.log[-1].meters.tokens,
        }
        Path(result).write_text(json.dumps(body))


def die_at(place: str, after: int) -> None:
    """SIGKILL this process at the ``after``-th time it comes to ``place``."""
    module_name, name = place.rsplit(".", 1)
    module = importlib.import_module(module_name)
    plain, calls = getattr(module, name), iter(range(after))

    def deadly(*args: Any, **options: Any) -> Any:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*args, **options)

    setattr(module, name, deadly)


def command(words: list[str], log: str, number: int, after: int, delay: float) -> int:
    """Run the command line, which prints into ``log``, last of all how many files it stored.

    Args:
        number: of a signal that it gets; 0 for none.
        after: the files that are stored before that.
        delay: seconds from the next one, or 0 for while it has no name yet.
    """
    from objbench.cli.main import main

    # Two threads store files, and no number may be passed over.
    stored, fsync = itertools.count(), os.fsync

    def counted(handle: int) -> None:
        if next(stored) == after and number:
            send = threading.Timer(delay, os.kill, (os.getpid(), number))
            send.start() if delay else os.kill(os.getpid(), number)
        fsync(handle)

    os.fsync = counted
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = main(words)
    print(next(stored))
    return code


def serve() -> None:
    """Fork a process for each request on stdin: imports are paid for once.

    Requests are JSON lines, {"start": [run, result, options], "env": {}, "die_at": [...]},
    {"command": [...]} or {"wait": pid}; the answers are the process id and the exit status.
    """
    import objbench.engine.training.trainer

    # No fork searches the libraries for garbage, which would also copy their pages.
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        if "command" in request:
            import objbench.leaderboard.page
            import objbench.runs.run_study  # noqa: F401
        if "wait" in request:
            print(os.waitpid(request["wait"], 0)[1], flush=True)
            continue
        process = os.fork()
        if process == 0:
            status = 1
            try:
                os.environ.update(request.get("env", {}))
                if request.get("die_at"):
                    die_at(*request["die_at"])
                if "command" in request:
                    status = command(*request["command"])
                else:
                    train(*request["start"])
                    status = 0
            except BaseException:  # noqa: BLE001 - a fork must not go on as the server
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        print(process, flush=True)


if __name__ == "__main__":
    serve()
