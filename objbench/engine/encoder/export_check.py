"""Whether an exported language model computes what the encoder under its token head computes.

Both are read back from the folder, one as suites read it and one as users of transformers do, and
their logits of a few tokens are compared in float64, in which rounding does not hide a difference
such as that of two forms of GELU. This is a question of the two configurations, not of the weights,
so one process answers it once for each pair, with weights that can show a difference.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from objbench.contract.batch import Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.engine.encoder.attention_mask import attention_mask
from objbench.engine.encoder.load import load_encoder, load_language_model
from objbench.engine.encoder.token_head import SETTINGS, load_token_head
from objbench.errors import CheckpointError, one_line

TOLERANCE = 1e-6
"""Largest accepted difference of two logits, relative to the largest logit or to 1."""

TOKENS = 8
"""Length of the sequence that is compared."""

_known: dict[tuple[str, str], str] = {}
"""The configurations of encoder and head that were compared -> the answer."""


def difference(folder: Path, vocabulary: Vocabulary) -> str:
    """Why the language model in ``folder`` is not the encoder under its token head; "" if it is.

    Draws nothing.

    Args:
        folder: an export in the layout of a language model, with its token head.
        vocabulary: its tokenizer's.

    Raises:
        OSError: the two configurations cannot be read.
    """
    pair = (folder / "config.json").read_text("utf-8"), (folder / SETTINGS).read_text("utf-8")
    if pair not in _known:
        answer = _difference(folder, vocabulary)
        head, _ = load_token_head(folder, vocabulary)
        # A bias that is 0 everywhere would be missed by nobody, and is left so by no training.
        if any(
            bool((tensor == tensor.flatten()[0]).all()) for tensor in head.state_dict().values()
        ):
            return answer
        _known[pair] = answer
    return _known[pair]


def _difference(folder: Path, vocabulary: Vocabulary) -> str:
    try:
        ours, theirs = _both(folder, vocabulary)
    except CheckpointError:
        return "its weights cannot be read back"
    except Exception as error:  # noqa: BLE001 - whatever it is, the encoder alone can be exported
        return one_line(error)[:200]
    if ours.shape != theirs.shape:
        return f"it has {theirs.shape[-1]} logits and the head {ours.shape[-1]}"
    apart = float((ours - theirs).abs().max())
    if not apart <= TOLERANCE * max(1.0, float(ours.abs().max())):
        return f"its logits differ from the trained head's by {apart:.2g}"
    return ""


def _both(folder: Path, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """(T, V) float64, the logits of our head and those of transformers' class."""
    head, reading = load_token_head(folder, vocabulary)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        encoder = load_encoder(folder).double()
        ids = probe(vocabulary)
        batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), None, Rows.alone(len(ids)))
        mask = attention_mask(encoder, batch, causal=reading.is_left_to_right)
        options = {} if mask is None else {"attention_mask": mask}
        states = encoder(input_ids=ids, **options).last_hidden_state
        words: Tensor = encoder.get_input_embeddings().weight  # type: ignore[operator]
        ours = head.double()(states, words)
        model = load_language_model(folder).double()
        theirs = model(input_ids=ids).logits
    return ours[0], theirs[0]


def probe(vocabulary: Vocabulary) -> Tensor:
    """(1, ``TOKENS``) int64, words spread over the vocabulary, one of them masked."""
    words = [word for word in range(vocabulary.size) if word not in vocabulary.special]
    ids = [words[number * len(words) // TOKENS] for number in range(TOKENS)]
    ids[TOKENS // 2] = vocabulary.mask
    return torch.tensor([ids])
