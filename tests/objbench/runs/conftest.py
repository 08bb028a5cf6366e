"""A whole study that takes seconds: toy text, a very small encoder, one quick task."""

import dataclasses

import pytest

from objbench.data.toy.language import toy_documents
from objbench.leaderboard.page import write_leaderboard
from objbench.plugins.loading import load_plugins
from objbench.runs.run_study import run_study
from objbench.study.study import build_study


@pytest.fixture(scope="session")
def registry():
    return load_plugins()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "toy.txt"
    path.write_text("\n\n".join("\n".join(text) for text in toy_documents(0, documents=150)))
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def make_study(corpus):
    """(**changes at the top level) -> a study of mlm and taco."""

    def make(**changes):
        layer = {
            "objectives": ["mlm", "taco"],
            "budget": "6-steps",
            "encoder": {
                "model_type": "bert",
                "config": {
                    "num_hidden_layers": 1,
                    "hidden_size": 16,
                    "num_attention_heads": 2,
                    "intermediate_size": 32,
                    "max_position_embeddings": 32,
                },
            },
            "data": {"corpus": str(corpus), "tokenizer": "train:400", "length": 16},
            "training": {"batch": 4, "learning_rate": 1e-3, "log_every": 2},
            "evaluation": {
                "suites": ["toy", "convergence"],
                "points": 2,
                "max_train_samples": 32,
                "heldout_batches": 1,
            },
            "options": {"toy": {"tasks": ["polarity"], "epochs": 1}},
        }
        return build_study([layer, changes], "the test")

    return make


@pytest.fixture(scope="session")
def run(cache, registry):
    """(study, folder, **changes) -> how the run ended."""

    def do(study, folder, **changes):
        settings = {
            "cache": cache,
            "jobs": 1,
            "device": "cpu",
            "command": "objbench run of a test",
            "registry": registry,
        }
        return run_study(study, run=folder, **{**settings, **changes})

    return do


@pytest.fixture(scope="session")
def page_of(tmp_path_factory):
    """(run folder) -> the text of its leaderboard page, which is written elsewhere."""

    def page(folder):
        return write_leaderboard(folder, tmp_path_factory.mktemp("page")).read_text("utf-8")

    return page


@pytest.fixture
def with_objective(registry):
    """(classes) -> the registry with these objectives in it."""

    def add(*classes):
        added = {cls.name: cls for cls in classes}
        origins = registry._origins | dict.fromkeys(added, registry.origin("mlm"))
        objectives = {**registry.objectives, **added}
        return dataclasses.replace(registry, objectives=objectives, _origins=origins)

    return add
