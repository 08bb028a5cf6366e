"""Whole-word objectives on text without spaces: refused before anything runs, or shown."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from objbench.errors import ConfigError

SPECIAL = ["<pad>", "<s>", "</s>", "<mask>", "<unk>"]
ROLES = dict(
    zip(("pad_token", "cls_token", "sep_token", "mask_token", "unk_token"), SPECIAL, strict=True)
)


@pytest.fixture(scope="module")
def unspaced(tmp_path_factory):
    """A corpus of Chinese characters without spaces, and a byte-level tokenizer trained on it."""
    folder = tmp_path_factory.mktemp("unspaced")
    draw = np.random.default_rng(0)
    lines = ["".join(map(chr, 0x4E00 + draw.integers(0, 40, 300))) for _ in range(150)]
    (folder / "text.txt").write_text("\n\n".join(lines), encoding="utf-8")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        [*lines, *["a few words of another language"] * 300],
        trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet),
    )
    PreTrainedTokenizerFast(tokenizer_object=backend, **ROLES).save_pretrained(folder / "tokenizer")
    return {
        "corpus": str(folder / "text.txt"),
        "tokenizer": str(folder / "tokenizer"),
        "length": 16,
    }


@pytest.mark.parametrize("objective", ["wwm", "span"])
def test_a_rate_far_below_the_declared_one_is_refused(
    objective, unspaced, make_study, run, tmp_path
):
    study = make_study(objectives=["mlm", objective], data=unspaced)
    with pytest.raises(
        ConfigError, match=rf"^{objective} predicts .*% of the tokens .* 15%: "
    ) as e:
        run(study, tmp_path / "run")
    assert "\n" not in str(e.value)
    assert not list((tmp_path / "run").glob("records/*"))
    # What was measured is kept, so a second try is refused as well.
    with pytest.raises(ConfigError, match=f"^{objective} predicts"):
        run(study, tmp_path / "run")


def test_the_plan_holds_what_is_predicted(make_study, run, tmp_path):
    run(make_study(budget="2-steps", objectives=["clm", "wwm"]), tmp_path / "run")
    plan = json.loads((tmp_path / "run/plan.json").read_text())
    clm, wwm = (item.get("rate") for item in plan["objectives"])
    assert clm is None
    assert wwm["declared"] == pytest.approx(0.15)
    assert wwm["predicted"] == pytest.approx(0.15, rel=0.1)
