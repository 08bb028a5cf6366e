"""How near a training step of the modern encoder comes to the machine's products of matrices.

Run with ``pytest --benchmark-only tests/benchmarks/test_modern_step.py``. One thread, in its own
processor's time, which other work on the machine moves little, though it empties the caches. Steps
and products of random matrices take turns; a share is that of a step and the faster of the products
before and after it, and the row has the median. FLOPs are a step's matrix products, as everywhere.

The floors are reported and never asserted: how far products are ahead of copies differs between
processors. One with tiles for bfloat16 (AMX) multiplies ten times as fast as in float32 and copies
no faster, so that a step spends most of its time on what is no product.
"""

import time
from statistics import median

import pytest
import torch

from objbench.engine.measuring.ceilings import OPERANDS
from objbench.engine.training.session import Session
from objbench.study.files import preset_layer

ROUNDS, WARM_UP, TACO_TIME = 12, 3, 1.1
FLOORS = {"bf16": 0.5, "fp32": 0.7}
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
AT = "ModernBERT, 4 layers, width 256, vocabulary 8,192, 64 x 128 tokens"

pytestmark = pytest.mark.benchmark(group="modern step")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def session_of(job_of, measures):
    """(objective, precision) -> a session at the benchmark's size."""
    rows, length, words = (64, 128, 8192) if measures else (4, 16, 200)
    encoder = {**preset_layer("mini")["encoder"]}
    if not measures:
        small = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 1}
        one_layer = {**small, "intermediate_size": 96, "layer_types": ["full_attention"]}
        encoder["config"] = {**encoder["config"], **one_layer}

    def make(name, precision):
        training = {"batch": rows, "precision": precision}
        return Session(job_of(name, words=words, length=length, encoder=encoder, training=training))

    return make


def processor_seconds(work):
    started = time.process_time()
    work()
    return time.process_time() - started


def products(dtype, size):
    """(a function that multiplies random matrices, its FLOPs)."""
    draw = torch.Generator().manual_seed(0)
    pairs = [
        [torch.randn(size, size, generator=draw).to(dtype) for _ in range(2)]
        for _ in range(OPERANDS)
    ]
    product = torch.empty(size, size, dtype=dtype)

    def multiply():
        for left, right in pairs:
            torch.mm(left, right, out=product)

    return multiply, OPERANDS * 2 * size**3


def take_step(session, step):
    session.gradients(step)
    session.update.apply(session.job.training.learning_rate)


@pytest.mark.parametrize("precision", FLOORS)
def test_share_of_a_product(precision, session_of, measures, store, benchmark):
    session = session_of("mlm", precision)
    multiply, flops = products(DTYPES[precision], 1024 if measures else 16)
    steps, rates, shares = [], [], []
    multiply()
    before = processor_seconds(multiply)
    for step in range(WARM_UP + ROUNDS if measures else 1):
        taken = processor_seconds(lambda now=step: take_step(session, now))
        after = processor_seconds(multiply)
        if step >= WARM_UP:
            rates.append(flops / min(before, after))
            steps.append(taken)
            shares.append(session.flops_per_step / taken / rates[-1])
        before = after
    if measures:
        share = median(shares)
        store(
            "modern MLM step, share of a matrix product's speed",
            f"{AT}, {precision}, one thread",
            f">= {FLOORS[precision]:.0%}",
            share,
            share >= FLOORS[precision],
            f"{median(steps) * 1000:.0f} ms for {session.flops_per_step / 1e9:.0f} GFLOP; a product "
            f"of 1,024 x 1,024 runs at {median(rates) / 1e9:,.0f} GFLOP/s; shares of single steps "
            f"{min(shares):.0%} to {max(shares):.0%}",
        )
    benchmark.pedantic(take_step, args=(session, 50), rounds=1)


@pytest.mark.parametrize("precision", FLOORS)
def test_taco_step_beside_mlm(precision, session_of, measures, store, benchmark):
    sessions = [session_of(name, precision) for name in ("mlm", "taco")]
    pairs = [
        [processor_seconds(lambda s=s, now=step: take_step(s, now)) for s in sessions]
        for step in range(WARM_UP + ROUNDS if measures else 1)
    ]
    if measures:
        ratio = median(taco / mlm for mlm, taco in pairs[WARM_UP:])
        mlm, taco = (median(column) * 1000 for column in zip(*pairs[WARM_UP:], strict=True))
        store(
            "modern TACO step against MLM step, time",
            f"{AT}, {precision}, one thread",
            f"<= {TACO_TIME}x",
            ratio,
            ratio <= TACO_TIME,
            f"{taco:.0f} ms against {mlm:.0f} ms",
        )
    benchmark.pedantic(take_step, args=(sessions[1], 50), rounds=1)
