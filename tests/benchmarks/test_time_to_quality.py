"""Seconds and FLOPs to a held-out loss: ``tiny`` here, and BERT by ``transformers.Trainer``.

Run with ``pytest --benchmark-only --corpus TEXTS tests/benchmarks/test_time_to_quality.py``; without
a corpus the rows say that nothing was measured.

Ours is MLM with the preset ``tiny`` and a vocabulary of 4,096 words, which the ladder's studies have
too and without which a loss says nothing, for a number of steps declared beforehand, its learning
rate decaying to zero. The peer is ``Trainer.train`` with BERT of the same width and depth and the
optimisation of ``tiny-bert``, on the same sequences, with as many tokens a step, fused AdamW and one
thread, in the same process and in turns of ``EVERY`` steps, until ours is there. The Trainer goes on
alone until it is there too, or has taken a multiple of our time, and its learning rate decays over
so many times our steps. What never gets there is a bound: more than the multiple.

Both are scored after every turn by the masked tokens of the same held-out batches, without dropout
and off the clock. Time is the processor's, of one thread, which other work on the machine hardly
moves; seconds by the clock stand in the note. Loss that a side reaches within a turn counts at its
end, for both alike. FLOPs are counted, as everywhere, without the optimizer.
"""

import time
from dataclasses import dataclass, field

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertTokenizerFast,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from objbench.cli.plugin_arguments import default_cache, load
from objbench.engine.training.flops import flop_counter
from objbench.engine.training.heldout_loss import evaluating, heldout_batches, heldout_losses
from objbench.engine.training.schedule import plan_route
from objbench.engine.training.session import Session
from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.prepared_study import prepare
from objbench.study.files import preset_layer
from objbench.study.settings import TrainingSection
from objbench.study.study import build_study

ROW = "time to a held-out loss, against transformers.Trainer with BERT"
TARGETS = {4.2: (1_200, 10), 3.6: (3_300, 3)}
"""Held-out loss -> (steps of ours, most of our time that the Trainer gets)."""
EVERY = 25

pytestmark = pytest.mark.benchmark(group="time to quality")


@dataclass
class Side:
    """What one side has spent in training, and where it was when its loss was low enough.

    Attributes:
        flops_per_step: of forward and backward pass.
        processor, clock: seconds.
        there: the steps, processor's seconds and clock's at the target; None before.
    """

    flops_per_step: float
    steps: int = 0
    processor: float = 0.0
    clock: float = 0.0
    loss: float = float("inf")
    there: tuple[int, float, float] | None = None
    _since: tuple[float, float] = field(default=(0.0, 0.0))

    def begin(self):
        self._since = time.process_time(), time.perf_counter()

    def pause(self, steps):
        self.processor += time.process_time() - self._since[0]
        self.clock += time.perf_counter() - self._since[1]
        self.steps += steps

    def look(self, loss, target):
        self.loss = loss
        if loss <= target and self.there is None:
            self.there = self.steps, self.processor, self.clock

    @property
    def words(self):
        steps, processor, clock = self.there or (self.steps, self.processor, self.clock)
        never = "" if self.there else f", its loss {self.loss:.2f}"
        return (
            f"{processor:.0f} s of the processor ({clock:.0f} s by the clock), "
            f"{steps * self.flops_per_step:.3g} FLOPs, {steps:,} steps{never}"
        )


class Turns(TrainerCallback):
    """After each turn of the Trainer one of ours; ends both when all is known."""

    def __init__(self, session, scored, target, multiple, every):
        self.session, self.scored = session, scored
        self.target, self.multiple, self.every = target, multiple, every
        training, steps = session.job.training, session.job.steps
        self.route = plan_route(steps, (steps,), training)
        self.ours = Side(session.flops_per_step)
        self.theirs = Side(flops_of(session, scored))

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step % self.every == 0:
            self.theirs.begin()

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % self.every:
            return
        self.theirs.pause(self.every)
        self.theirs.look(loss_of(self.scored, self.session), self.target)
        if not self.ours.there and self.ours.steps < self.session.job.steps:
            self.turn_of_ours()
        is_open = not self.ours.there and self.ours.steps < self.session.job.steps
        spent = self.theirs.processor >= self.multiple * self.ours.processor
        control.should_training_stop = not is_open and bool(self.theirs.there or spent)

    def turn_of_ours(self):
        first = self.ours.steps
        last = min(first + self.every, self.session.job.steps)
        self.ours.begin()
        for step in range(first, last):
            self.session.gradients(step)
            self.session.update.apply(self.route.learning_rate(0, step))
        self.ours.pause(last - first)
        self.ours.look(heldout_losses(self.session)["mlm"], self.target)


@torch.no_grad()
def loss_of(model, session):
    """The mean cross-entropy of the masked tokens that ``heldout_losses`` scores."""
    model.eval()
    total = count = 0.0
    with evaluating(session):
        for batch, streams in heldout_batches(session):
            masked = session.module.corrupt(batch, streams()).corrupted
            states = model.bert(input_ids=masked.input_ids).last_hidden_state
            at = masked.positions.unsqueeze(-1).expand(-1, -1, states.shape[-1])
            logits = model.cls(states.gather(1, at)).flatten(0, 1)
            wanted = masked.targets.flatten()
            total += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
            count += int((wanted >= 0).sum())
    model.train()
    return total / count


def flops_of(session, model):
    """FLOPs of a step of the Trainer, forward and backward."""
    batch = session.loader().batch(0)
    with flop_counter() as counter:
        model(input_ids=batch.input_ids, labels=batch.input_ids).loss.backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def trainer_of(job, encoder, training, steps, folder):
    """BERT of the sizes of ``encoder`` by ``training``, on the sequences of ``job``."""
    torch.manual_seed(0)
    model = BertForMaskedLM(BertConfig(vocab_size=job.vocabulary.size, **encoder))
    # Drawn beforehand, as a data set in memory is: ours has the same sequences.
    wanted = min(len(job.train), steps * training.batch)
    rows = torch.from_numpy(job.train.rows(torch.randperm(len(job.train))[:wanted].numpy()))
    special = torch.tensor(job.vocabulary.special)
    data = [
        {"input_ids": row, "special_tokens_mask": torch.isin(row, special).long()} for row in rows
    ]
    words = {word: number for number, word in enumerate(job.vocabulary.tokens)}
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=training.batch,
        use_cpu=True,
        optim="adamw_torch_fused",
        learning_rate=training.learning_rate,
        warmup_steps=round(training.warmup * steps),
        weight_decay=training.optimizer.weight_decay,
        adam_beta1=training.optimizer.beta1,
        adam_beta2=training.optimizer.beta2,
        adam_epsilon=training.optimizer.epsilon,
        max_grad_norm=training.clip,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    tokenizer = job.tokenizer or BertTokenizerFast(vocab=words)
    return Trainer(
        model=model,
        args=arguments,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        train_dataset=data,
    )


def real_job(corpus, steps, folder):
    """MLM with ``tiny`` and 4,096 words on ``corpus``, tokenised once in objbench's own cache."""
    changes = {
        "objectives": ["mlm"],
        "data": {"corpus": corpus, "tokenizer": "train:4096"},
        "evaluation": {"suites": []},
        "options": {},
    }
    layer = preset_layer("tiny")
    layer.pop("options")
    study = build_study([layer, changes], "the preset tiny")
    made = prepare(study, load(), RunFolder(folder), cache=default_cache(), device="cpu")
    cell = PlannedCell(id="mlm", kind="pretrain", key="0" * 64, objective="mlm", seed=0, step=steps)
    return made.pretrain_job(cell)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("target", TARGETS)
def test_time_to_a_heldout_loss(
    target, corpus, job_of, measures, store, benchmark, tmp_path, one_thread
):
    steps, multiple = TARGETS[target]
    at = f"{target}, 2 layers x 128, 4,096 words, 32 x 64 tokens a step"
    floor = "> 1x sooner"
    if measures and not corpus:
        store(ROW, at, floor, None, None, "not run: it needs a corpus (make bench CORPUS=TEXTS)")
        benchmark.pedantic(lambda: None, rounds=1)
        return
    bert = preset_layer("tiny-bert")
    encoder, every = bert["encoder"]["config"], EVERY
    training = TrainingSection(**bert["training"])
    if measures:
        job = real_job(corpus, steps, tmp_path / "ours")
    else:
        # What has not learnt is far above any target; what is at once below it ends both.
        steps, multiple, every, target = 4, 2, 2, 0.0 if target < 4 else 100.0
        encoder = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
        encoder["intermediate_size"] = 32
        sizes = {
            **preset_layer("tiny")["encoder"]["config"],
            **encoder,
            "layer_types": ["full_attention"],
        }
        small = {"model_type": "modernbert", "config": sizes}
        job = job_of("mlm", words=200, length=16, encoder=small, training={"batch": 4}, steps=steps)
        training = training.model_copy(update={"batch": 4})
    session = Session(job)
    trainer = trainer_of(job, encoder, training, multiple * steps, tmp_path / "theirs")
    turns = Turns(session, trainer.model, target, multiple, every)
    trainer.add_callback(turns)
    trainer.train()
    ours, theirs = turns.ours, turns.theirs
    if measures:
        mine = ours.there[1] if ours.there else float("inf")
        taken = theirs.there[1] if theirs.there else theirs.processor
        ratio = taken / mine
        store(
            ROW,
            at,
            floor,
            ratio,
            ratio > 1,
            f"{ours.words}; the Trainer: {theirs.words}, stopped at {multiple} times our time",
            at_least=theirs.there is None,
        )
    else:
        is_there = target > 50
        assert (ours.there is not None) == (theirs.there is not None) == is_there
        assert ours.steps == (every if is_there else steps)
        assert turns.theirs.flops_per_step > 0 < session.flops_per_step
    benchmark.pedantic(lambda: None, rounds=1)
