"""What the benchmarks share: which of them run, jobs on made-up text, their clock, and a table.

``pytest --benchmark-only`` measures the losses alone and prints their table, in under two minutes.
The comparisons with peers take half an hour: they run where this folder or their file is named.

A benchmark stores in ``benchmark.extra_info`` what ``report.py`` makes a row of: ``row`` (what),
``at`` (where), ``floor`` (text), ``ratio`` (the measured number, of whatever kind), ``meets``
(whether it reaches the floor; both are None where nothing was measured), ``note``, and ``at_least``
where the number is a lower bound. Without ``--benchmark-only`` everything is small and
only checked for faults.
"""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from objbench.data.packed_sequences import PackedSequences
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.engine.training.allocator import keep_freed_memory
from objbench.engine.training.job import PretrainJob
from objbench.plugins.loading import load_plugins
from objbench.results.provenance import processor_name, versions
from objbench.study.settings import EncoderSection, TrainingSection

SEQUENCES = 4096
HERE = Path(__file__).parent
LOSSES = HERE / "test_loss_throughput.py"


def pytest_addoption(parser):
    """The text that some benchmarks need; they say where they had none."""
    parser.addoption("--corpus", default="", help="text for the time to a held-out loss")


def pytest_collection_modifyitems(config, items):
    """Leave only the losses where benchmarks are asked for and none of this folder is named."""
    if not config.getoption("--benchmark-only"):
        return
    named = [config.invocation_params.dir / word.partition("::")[0] for word in config.args]
    if not any(path.resolve().is_relative_to(HERE) for path in named):
        config.hook.pytest_deselected(items=[item for item in items if item.path != LOSSES])
        items[:] = [item for item in items if item.path == LOSSES]


def pytest_terminal_summary(terminalreporter, config):
    """The losses that were measured, fastest first, beside the baseline's."""
    lines = loss_table(getattr(config, "_benchmarksession", None))
    if lines:
        terminalreporter.section("losses: 32 x 128 tokens at width 256, without the encoder")
        for line in lines:
            terminalreporter.write_line(line)


def loss_table(session):
    """The lines of the table; none where no loss was measured."""
    measured = {
        one.params["name"]: one.extra_info
        for one in (session.benchmarks if session else ())
        if "tokens_per_second" in one.extra_info
    }
    if not measured:
        return []
    objectives = load_plugins().objectives
    # As for ``--objectives all``: declared by the class itself; what derives from it is none.
    own = [name for name in measured if vars(objectives[name]).get("is_baseline")]
    baseline = own[0] if own else next(iter(measured))
    of_baseline = measured[baseline]["tokens_per_second"]
    ordered = sorted(measured.items(), key=lambda row: -row[1]["tokens_per_second"])
    widest = max(len("objective"), *map(len, measured))
    heads = ("forward", "backward", "tokens per second", f"beside {baseline}")
    return [
        "  ".join([f"{'objective':{widest}}", *(f"{head:>17}" for head in heads)]),
        *(
            f"{name:{widest}}  {row['forward_ms']:14.1f} ms  {row['backward_ms']:14.1f} ms"
            f"  {row['tokens_per_second']:17,}  {row['tokens_per_second'] / of_baseline:16.2f}x"
            for name, row in ordered
        ),
    ]


@pytest.fixture(scope="session")
def measures(request):
    """Whether anything is measured; otherwise sizes are small."""
    return request.config.getoption("--benchmark-only")


@pytest.fixture(scope="session")
def corpus(request):
    """The corpus that was named; "" if none was, or if this folder was not."""
    return request.config.getoption("--corpus", default="")


@pytest.fixture(scope="session")
def seconds():
    """A clock: the processor's where there is one thread, which other work then hardly moves."""
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


@pytest.fixture(scope="session")
def job_of(tmp_path_factory):
    """(name, words, length, encoder, training, **fields) -> a job on made-up text."""
    objectives = load_plugins().objectives
    # As `objbench run` does; the peers in the process have it from then on too.
    keep_freed_memory()

    def make(name, *, words, length, encoder, training, **fields):
        # Words by Zipf's law.
        ranks = np.random.default_rng(0).zipf(1.2, SEQUENCES * (length - 1)) % (words - 5)
        text = PackedSequences(
            tokens=(ranks + 5).astype(np.uint32), length=length, cls=2, name="made-up text"
        )
        run = tmp_path_factory.mktemp(name)
        values = {
            "seed": 0,
            "steps": 1000,
            "run": run,
            "encoders": "encoders",
            "checkpoints": run / "checkpoints",
            "tokenizer": None,  # exported beside an encoder, and none is
            "key": "benchmark",
            **fields,
        }
        return PretrainJob(
            objective=objectives[name],
            config=objectives[name].Config(),
            encoder=EncoderSection(**encoder),
            training=TrainingSection(**training),
            length=length,
            train=text,
            heldout=text,
            vocabulary=made_up_vocabulary(words),
            **values,
        )

    return make


@pytest.fixture
def store(benchmark):
    """(row, at, floor, ratio, meets, note, at_least) -> stored for the report."""

    def keep(row, at, floor, ratio, meets, note="", at_least=False):
        benchmark.extra_info |= {
            "row": row,
            "at": at,
            "floor": floor,
            "ratio": None if ratio is None else round(float(ratio), 4),
            "meets": None if meets is None else bool(meets),
            "note": note,
            **({"at_least": True} if at_least else {}),
        }

    return keep


@pytest.fixture(scope="session")
def peak_bytes():
    """(step) -> the most that it has allocated at once beyond what was there, after a first run."""

    def peak_of(step):
        step()
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            step()
        now = peak = 0
        events = seen.profiler.kineto_results.events()
        for event in sorted(events, key=lambda event: event.start_ns()):
            if event.name() == "[memory]":
                now += event.nbytes()
                peak = max(peak, now)
        return peak

    return peak_of


def pytest_benchmark_update_machine_info(config, machine_info):
    """What a ratio depends on, into the JSON."""
    machine_info["versions"] = versions()
    machine_info["device"] = processor_name()
    machine_info["threads"] = torch.get_num_threads()
