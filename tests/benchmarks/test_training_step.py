"""How fast a training step is: beside ``transformers.Trainer``, TACO beside MLM, the engine around.

Run with ``pytest --benchmark-only tests/benchmarks/test_training_step.py``.

The peer is ``Trainer.train`` itself with ``BertForMaskedLM`` and
``DataCollatorForLanguageModeling``, what the TACO authors' scripts use: same sizes, rows of the
same text, batch, precision, fused AdamW with the same settings, clipping at 1, nothing logged or
saved. Special tokens are marked in the data set, as transformers' own script does, so that the
collator need not search for them; but Trainer drops the mark, and the collator does search, for
about a millisecond. Trainer's callback runs our steps, so the two alternate in one process; its time
is from one callback to the next, ours that of the gradients of ``Session`` and the update, masks
included in both. Trainer's time includes gathering a batch; ours are gathered several steps at a
time, in steps that are not timed (at most 0.1% of a step). Trainer's model computes logits at every
position and torch's float32 cross-entropy of them; ours predicts the same share of the tokens at
their positions only.

``objbench run`` makes the C library keep freed memory (``engine.training.allocator``), and users of
Trainer do not. So Trainer's steps run with the C library's own settings in one half of its turns,
and with ours in the other: the ratio is of the former, and the note gives the latter. The first step
of a turn finds the memory as the other side left it; so a turn is two steps, and the second is
timed.

Ratios are medians over the turns of quotients of adjacent timings.
"""

import ctypes
import os
import time
from contextlib import contextmanager, suppress
from statistics import median

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

from objbench.data.loader import Loader
from objbench.engine.measuring.ceilings import product_rate
from objbench.engine.measuring.step_memory import LiveTensors, step_memory
from objbench.engine.training import allocator
from objbench.engine.training.guarded_update import GuardedUpdate
from objbench.engine.training.session import Session
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.trainer import pretrain
from objbench.study.files import preset_layer

TURNS = 8  # of the Trainer with each of the two settings
WARM_UP, ROUNDS = 4, 20
AT = "4 layers, width 256, vocabulary 30,522, 32 x 128 tokens"
TRAINER_FLOORS = {"bf16": 4.2, "fp32": 3.8}
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
TACO_TIME, TACO_MEMORY, ENGINE, DATA, MASKING = 1.15, 1.1, 0.03, 0.01, 0.02

pytestmark = pytest.mark.benchmark(group="training step")


def sizes(measures):
    """Layers, width, words, rows, length."""
    return (4, 256, 30_522, 32, 128) if measures else (1, 64, 200, 4, 16)


@pytest.fixture
def step_job(job_of, measures):
    """(objective, precision) -> the job of a step at the benchmark's size."""
    layers, width, words, rows, length = sizes(measures)
    encoder = {
        "config": {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": width // 64,
            "intermediate_size": 4 * width,
        }
    }

    def make(name, precision):
        training = {"batch": rows, "precision": precision}
        return job_of(name, words=words, length=length, encoder=encoder, training=training)

    return make


def settle_as_by_itself():
    """glibc's thresholds as they grow by themselves where blocks of all sizes are freed.

    The numbers are DEFAULT_MMAP_THRESHOLD_MAX of its malloc.c, and twice that.
    """
    with suppress(AttributeError, OSError, TypeError):  # no glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(allocator._M_MMAP_THRESHOLD, 32 * 2**20)
        mallopt(allocator._M_TRIM_THRESHOLD, 64 * 2**20)


class Turns(TrainerCallback):
    """After each turn of the Trainer one of ours; keeps the seconds of the second step of both.

    ``pairs`` holds those of turns in which the Trainer has the C library's settings, ``alike``
    those of the others, by turns. The first of each is dropped: it warms up.
    """

    def __init__(self, ours, seconds):
        self.ours, self.clock, self.steps = ours, seconds, 0
        self._pairs, self._alike = [], []
        settle_as_by_itself()

    @property
    def pairs(self):
        return self._pairs[1:]

    @property
    def alike(self):
        return self._alike[1:]

    def on_step_begin(self, args, state, control, **kwargs):
        # The first step's time is with the set-up, and dropped with the warm-up.
        if not self.steps:
            self.since = self.clock()

    def on_step_end(self, args, state, control, **kwargs):
        theirs = self.clock() - self.since
        self.steps += 1
        turn, is_first = divmod(self.steps, 2)
        if not is_first:
            allocator.keep_freed_memory()
            self.ours(self.steps)
            started = self.clock()
            self.ours(self.steps + 1)
            pair = (self.clock() - started, theirs)
            (self._pairs if turn % 2 else self._alike).append(pair)
            if turn % 2 == 0:
                settle_as_by_itself()
        self.since = self.clock()


def trainer_of(job, steps, folder):
    """The Trainer that does what ``job`` does."""
    training, vocabulary = job.training, job.vocabulary
    config = BertConfig(vocab_size=vocabulary.size, **job.encoder.config)
    tokenizer = BertTokenizerFast(vocab={word: n for n, word in enumerate(vocabulary.tokens)})
    rows = torch.from_numpy(job.train.rows(torch.arange(len(job.train)).numpy()))
    data = [{"input_ids": row, "special_tokens_mask": (row < 5).long()} for row in rows]
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=training.batch,
        use_cpu=job.device == "cpu",
        bf16=training.precision == "bf16",
        optim="adamw_torch_fused",
        learning_rate=training.learning_rate,
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
    return Trainer(
        model=BertForMaskedLM(config),
        args=arguments,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        train_dataset=data,
    )


def take_step(session, step):
    session.gradients(step)
    return session.update.apply(session.job.training.learning_rate)


def peak_of_trainer(trainer):
    """Bytes that its forward and backward pass hold at most, beyond weights and moments."""
    batch = next(iter(trainer.get_train_dataloader()))
    with LiveTensors() as live:
        trainer.training_step(trainer.model, batch)
    return live.peak


@pytest.fixture(params=sorted({1, os.cpu_count() or 1}))
def threads(request):
    """How many threads torch uses: one, whose clock other work hardly moves, and one a core."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("precision", TRAINER_FLOORS)
def test_mlm_step_beside_trainer(
    precision, threads, step_job, measures, store, benchmark, tmp_path
):
    seconds = time.process_time if threads == 1 else time.perf_counter
    session = Session(step_job("mlm", precision))
    steps = 4 * (1 + TURNS) if measures else 4
    trainer = trainer_of(session.job, steps, tmp_path)
    turns = Turns(lambda step: take_step(session, step), seconds)
    trainer.add_callback(turns)
    trainer.train()
    allocator.keep_freed_memory()
    assert turns.steps == steps
    if measures:
        mine, theirs = zip(*turns.pairs, strict=True)
        ratio, alike = (median(b / a for a, b in pairs) for pairs in (turns.pairs, turns.alike))
        peak = product_rate(torch.device("cpu"), DTYPES[precision], 1024, seconds=0.4)
        used = session.flops_per_step / median(mine) / peak
        with LiveTensors() as live:
            session.gradients(steps)
        memory = live.peak / peak_of_trainer(trainer)
        store(
            "MLM training step against transformers.Trainer",
            f"{AT}, {precision}, threads: {threads}",
            f">= {TRAINER_FLOORS[precision]}x",
            ratio,
            ratio >= TRAINER_FLOORS[precision],
            f"{median(mine) * 1000:.0f} ms against {median(theirs) * 1000:.0f} ms; {used:.0%} of the "
            f"{peak / 1e12:.2f} TFLOP/s of a matrix product; {alike:.2f}x with our "
            f"allocator's settings for both; forward and backward hold {memory:.2f}x of the "
            "Trainer's memory",
        )
    assert benchmark.pedantic(take_step, args=(session, steps + 1), rounds=1).isfinite()


@pytest.mark.parametrize("precision", TRAINER_FLOORS)
def test_taco_step_beside_mlm(precision, step_job, seconds, measures, store, benchmark):
    sessions = [Session(step_job(name, precision)) for name in ("mlm", "taco")]
    pairs = []
    for step in range(WARM_UP + ROUNDS if measures else 1):
        pair = []
        for session in sessions:
            started = seconds()
            take_step(session, step)
            pair.append(seconds() - started)
        pairs.append(pair)
    if measures:
        ratio = median(taco / mlm for mlm, taco in pairs[WARM_UP:])
        both = [median(column) * 1000 for column in zip(*pairs[WARM_UP:], strict=True)]
        note = f"{both[1]:.0f} ms against {both[0]:.0f} ms, {torch.get_num_threads()} threads"
        store(
            "TACO step against MLM step, time",
            f"{AT}, {precision}",
            f"<= {TACO_TIME}x",
            ratio,
            ratio <= TACO_TIME,
            note,
        )
    assert benchmark.pedantic(take_step, args=(sessions[1], 50), rounds=1).isfinite()


@pytest.mark.parametrize("precision", TRAINER_FLOORS)
def test_taco_memory_beside_mlm(precision, step_job, measures, store, benchmark):
    peaks = []
    for name in ("mlm", "taco"):
        session = Session(step_job(name, precision))
        take_step(session, 0)
        peaks.append(step_memory(session, lambda own=session: take_step(own, 1))[0])
    ratio = peaks[1] / peaks[0]
    if measures:
        store(
            "TACO step against MLM step, peak memory",
            f"{AT}, {precision}",
            f"<= {TACO_MEMORY}x",
            ratio,
            ratio <= TACO_MEMORY,
            f"{peaks[1] / 2**20:.0f} MiB against {peaks[0] / 2**20:.0f} MiB of weights, optimizer "
            "state and live tensors",
        )
    assert benchmark.pedantic(lambda: ratio, rounds=1) > 0


PRESETS = {
    # Rows a step, steps. A step of fewer rows has the same engine around it, so the share that
    # the engine takes is overstated.
    "demo": (32, 300),
    "mini": (32, 16),
    "small": (16, 16),
}


INSIDE = (
    (Session, "gradients"),
    (GuardedUpdate, "apply"),
    (Loader, "batch"),
    (TrainingStep, "corrupt"),
)


@contextmanager
def timed(monkeypatch, seconds, *methods):
    """Adds up the seconds inside the given methods; -> name -> seconds."""
    spent = dict.fromkeys((name for _, name in methods), 0.0)

    def watch(plain, name):
        def watched(*args, **options):
            started = seconds()
            try:
                return plain(*args, **options)
            finally:
                spent[name] += seconds() - started

        return watched

    with monkeypatch.context() as patch:
        for owner, name in methods:
            patch.setattr(owner, name, watch(getattr(owner, name), name))
        yield spent


@pytest.mark.parametrize("preset", PRESETS)
def test_engine_around_its_steps(preset, job_of, seconds, measures, store, benchmark, monkeypatch):
    """``pretrain``'s loop, held against the gradients and updates inside it, in one run."""
    layer = preset_layer(preset)
    rows, steps = PRESETS[preset]
    if not measures:
        rows, steps = 1, 1
    words = 1024 if preset == "demo" else 30_522
    job = job_of(
        "mlm",
        words=words,
        length=layer["data"]["length"],
        encoder=layer["encoder"],
        training={**layer["training"], "batch": rows},
        steps=steps,
    )
    marks, plain = [], Session.gradients

    def begin(self, step):
        if not marks:  # what came before was the set-up, which has fetched the first steps' rows
            spent.update(dict.fromkeys(spent, 0.0))
            self._loader._block = None
        marks.append(seconds())
        return plain(self, step)

    monkeypatch.setattr(Session, "gradients", begin)
    with timed(monkeypatch, seconds, *INSIDE) as spent:
        outcome = pretrain(job, lambda done, total, text: marks.append(seconds()))
    assert outcome.status == "ok"
    # The last log point is the end of the loop.
    loop = marks[-1] - marks[0]
    bare = spent["gradients"] + spent["apply"]
    data, masking = spent["batch"] / loop, spent["corrupt"] / loop
    if measures:
        overhead = loop / bare - 1
        meets = overhead <= ENGINE and data <= DATA
        floor = f"<= {ENGINE:.0%}, waiting for data <= {DATA:.0%}"
        if preset == "mini":
            meets = meets and data + masking <= MASKING
            floor += f", masking and packing <= {MASKING:.0%}"
        store(
            "engine around the bare step, as a share of it",
            f"{preset}, {rows} x {job.length} tokens a step, {steps} steps",
            floor,
            overhead,
            meets,
            f"fetching and packing a batch {data:.2%} of the loop, masking it {masking:.2%}",
        )
    benchmark.pedantic(lambda: loop, rounds=1)
