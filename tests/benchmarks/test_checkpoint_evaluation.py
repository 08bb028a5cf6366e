"""One checkpoint on all of GLUE: how often its encoder is read and the examples are tokenised.

Run with ``pytest --benchmark-only tests/benchmarks/test_checkpoint_evaluation.py``; needs the GLUE
files of ``../shared/data/glue``. Every task and two fine-tuning seeds of an untrained BERT-Mini,
fine-tuned on 32 examples and scored on the whole development sets, one after the other in one
process, as the cells of a study are. tests/objbench/engine/encoder checks the counts; this file
reports them for the whole suite, with what sharing saves: the seconds of a second seed, which finds
everything cached, beside those of the first, which starts with an empty cache.
"""

import time
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel

from objbench.contract.suite import EvaluationContext
from objbench.data import load_tokenizer, open_corpus
from objbench.engine.encoder import load as exported_encoder
from objbench.engine.evaluation import examples
from objbench_suites.glue import GlueSuite
from objbench_suites.glue_data import Folder
from objbench_suites.glue_tasks import GLUE_TASKS

GLUE = Path(__file__).parents[3] / "shared" / "data" / "glue"
TRAIN = 32

pytestmark = pytest.mark.benchmark(group="evaluation")


@pytest.fixture
def counts(monkeypatch):
    """How often an encoder was read, and a set of examples was tokenised."""
    seen = {"encoders": 0, "sets": 0}

    def counted(name, work):
        def call(*values, **options):
            seen[name] += 1
            return work(*values, **options)

        return call

    monkeypatch.setattr(
        AutoModel, "from_pretrained", counted("encoders", AutoModel.from_pretrained)
    )
    monkeypatch.setattr(examples, "tokenise", counted("sets", examples.tokenise))
    return seen


@pytest.fixture
def encoder(tmp_path):
    """The folder of an untrained BERT-Mini that knows words of GLUE."""
    if not GLUE.is_dir():
        pytest.skip(f"{GLUE} is not there")
    folder, text = tmp_path / "encoder", tmp_path / "words.txt"
    train = Folder(GLUE).read(GLUE_TASKS["sst2"], "train")
    text.write_text("\n\n".join(train.first[:20_000]))
    tokenizer = load_tokenizer("train:8192", open_corpus(str(text)), tmp_path).hf
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=4,
        hidden_size=256,
        num_attention_heads=4,
        intermediate_size=1024,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_evaluation_of_one_checkpoint(benchmark, measures, counts, encoder, tmp_path):
    # The smallest are enough where nothing is measured.
    tasks = () if measures else ("rte", "wnli")
    suite = GlueSuite(GlueSuite.Config(dir=str(GLUE), epochs=1, tasks=tasks))
    context = EvaluationContext(cache=tmp_path / "tasks", precision="bf16", max_train_samples=TRAIN)
    exported_encoder._kept.clear()

    def evaluate(seed):
        started = time.perf_counter()
        for task in suite.tasks():
            suite.evaluate(encoder, task, seed, context)
        return time.perf_counter() - started

    first = evaluate(0)
    second = benchmark.pedantic(evaluate, args=(1,), rounds=1)
    sets = sum(len(suite.table[task].splits) for task in suite.tasks())
    benchmark.extra_info |= {
        "row": "evaluation of one checkpoint",
        "at": f"{len(suite.tasks())} GLUE tasks, 2 seeds, BERT-Mini, {TRAIN} training examples",
        "floor": "1 encoder read, each set tokenised once",
        "ratio": counts["encoders"],
        "meets": counts == {"encoders": 1, "sets": sets},
        "note": f"{counts['sets']} of {sets} sets tokenised; {first:.0f} s for the first seed, "
        f"{second:.0f} s for the second",
    }
    assert counts == {"encoders": 1, "sets": sets}
