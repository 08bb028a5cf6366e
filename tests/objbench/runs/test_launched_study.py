"""The whole command on two processes gives what it gives on one.

``torchrun`` starts them here; ``accelerate launch`` sets the same variables.
"""

import os
import subprocess
import sys

import pytest

from objbench.cli.main import main
from objbench.results.records import PretrainRecord
from objbench.results.run_folder import RunFolder, read_plan, read_records

STUDY = """
objectives = ["mlm", "taco", "tacl"]
budget = "4-steps"
encoder.config = {{ num_hidden_layers = 1, hidden_size = 16, num_attention_heads = 2, \
intermediate_size = 32, max_position_embeddings = 32, hidden_dropout_prob = 0.0, \
attention_probs_dropout_prob = 0.0 }}
data = {{ corpus = "{corpus}", tokenizer = "train:400", length = 16 }}
training = {{ batch = 4, log_every = 1 }}
evaluation = {{ suites = ["toy", "convergence"], points = 2, max_train_samples = 16, \
heldout_batches = 1 }}
options.toy = {{ tasks = ["polarity"], epochs = 1 }}
"""
LAUNCH = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]


@pytest.fixture(scope="module")
def pretrained(corpus, cache, tmp_path_factory):
    """(processes) -> id -> record of every pretraining of a finished study."""
    folder = tmp_path_factory.mktemp("launched")
    (folder / "study.toml").write_text(STUDY.format(corpus=corpus))

    def run(processes):
        out = folder / str(processes)
        words = ["run", "--config", str(folder / "study.toml"), "--device", "cpu", "--jobs", "1"]
        words += ["--out", str(out), "--cache", str(cache)]
        if processes > 1:
            ended = subprocess.run(
                [sys.executable, "-m", *LAUNCH, "objbench", *words],
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, ended.stderr
        else:
            assert main(words) == 0
        assert {path.name for path in (out / "leaderboard").iterdir()} >= {
            "README.md",
            "convergence-toy.svg",
        }
        assert {record.id for record in read_records(out)} == {c.id for c in read_plan(out).cells}
        found = map(RunFolder(out).with_log, read_records(out))
        return {r.id: r for r in found if isinstance(r, PretrainRecord)}

    return run


@pytest.mark.slow
def test_two_processes_train_as_one(pretrained):
    alone, together = pretrained(1), pretrained(2)
    assert alone.keys() == together.keys()
    for name, record in alone.items():
        assert together[name].provenance.processes == 2
        assert together[name].cost.flops_per_step == pytest.approx(
            record.cost.flops_per_step, rel=0.05
        )
        for mine, theirs in zip(record.log, together[name].log, strict=True):
            assert theirs.terms == pytest.approx(mine.terms, rel=1e-4)
