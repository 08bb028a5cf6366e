"""A study that is killed again and again ends with every number of one that nobody disturbed.

The moments are sampled, from a fixed seed, among the instants at which a run stores a file: a
signal comes in the middle of that, before the file has its name, or some milliseconds later.
"""

import random
import signal

from filelock import FileLock

from objbench.results.atomic_files import is_unfinished
from objbench.results.run_folder import read_records
from objbench.results.training_log import read_training_log

STUDY = """
objectives = ["mlm", "taco"]
budget = "8-steps"
encoder.config = {{ num_hidden_layers = 1, hidden_size = 16, num_attention_heads = 2, \
intermediate_size = 32, max_position_embeddings = 32 }}
data = {{ corpus = "{corpus}", tokenizer = "train:400", length = 16 }}
training = {{ batch = 4, log_every = 1, checkpoint_every = 0, schedule = "trunk" }}
evaluation = {{ suites = ["toy", "convergence"], points = 2, max_train_samples = 16, \
heldout_batches = 1 }}
options.toy = {{ tasks = ["polarity"], epochs = 1 }}
"""

# What a run took, and not what it computed.
_TIMES = {"provenance", "time", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def numbers(value):
    """A record's content without what depends on the clock."""
    if isinstance(value, dict):
        return {name: numbers(inner) for name, inner in value.items() if name not in _TIMES}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def content(folder):
    return {r.id: numbers(r.model_dump(mode="json")) for r in read_records(folder)}


def logged(folder):
    """Log -> its lines, without what depends on the clock."""
    return {
        path.name: [numbers(line.model_dump()) for line in read_training_log(path)]
        for path in (folder / "logs").iterdir()
    }


def test_kills_at_sampled_moments_change_no_number(trainers, corpus, cache, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY.format(corpus=corpus))
    words = ["run", "--config", str(tmp_path / "study.toml"), "--device", "cpu", "--jobs", "1"]
    words += ["--cache", str(cache), "--out"]
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log.txt"
    code, said = trainers.command([*words, str(whole)], log)
    assert code == 0, said
    stored = int(said.splitlines()[-1])

    dice, half_written = random.Random(1), 0
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        # What is killed has less to store each time, so signals come after less than a part of it.
        after, delay = dice.randrange(stored // 4), dice.choice([0.0, dice.uniform(0.001, 0.02)])
        code, said = trainers.command([*words, str(killed)], log, number, after, delay)
        left = [name for name in names_in(killed) if any(map(is_unfinished, name.split("/")))]
        if number == signal.SIGKILL:
            assert code == -number, said
            half_written += bool(left)
        else:
            assert code == 130, said
            assert "interrupted; run the same command again" in said
            assert "Traceback" not in said and "Warning" not in said
            assert not left
    assert half_written
    code, said = trainers.command([*words, str(killed)], log)
    assert code == 0, said
    assert content(killed) == content(whole)
    assert logged(killed) == logged(whole)
    assert all(lines[-1].get("share") == 1.0 for lines in logged(whole).values())
    # The same files too: no checkpoint, nothing half written; and the lock is free.
    assert names_in(killed) == names_in(whole)
    with FileLock(killed / ".lock", timeout=0):
        pass
