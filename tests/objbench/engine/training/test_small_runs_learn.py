"""Small real runs come out as what they are: untrained, stuck at their first plateau, or learnt.

The text is made of ten phrases of four words in random order. Which word follows another is
uncertain, because words recur in several phrases, and the phrase itself removes most of that: so an
encoder that uses order is far below the line of the left neighbour. The lines are measured as a
study measures them. The learning rate decides whether a run learns or is stuck.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from objbench.blocks.masking import mask_tokens
from objbench.contract.batch import Batch, Rows
from objbench.contract.composition import configured
from objbench.contract.random_streams import Streams
from objbench.data.counts.hidden_tokens import masked_tokens, next_tokens
from objbench.data.counts.lines import count_text, measure_lines
from objbench.data.packed_sequences import PackedSequences
from objbench.engine.training.common_loss import common_loss
from objbench.engine.training.heldout_loss import heldout_batches
from objbench.engine.training.session import Session
from objbench.engine.training.trainer import pretrain
from objbench.plugins.loading import load_plugins
from objbench.results.learnt import point_status
from objbench.results.records import Provenance
from objbench.results.reference_lines import ReferenceLines
from objbench.study.settings import EncoderSection

REGISTRY = load_plugins()
WORDS, PHRASES, LENGTH = 24, np.random.default_rng(0).integers(0, 24, (10, 4)), 16
STEPS = {"mlm": 180, "taco": 320, "rtd": 400, "clm": 40}
"""Objective -> steps in which it learns at a learning rate of 0.01."""

ON_THE_PLATEAU = 80
"""Steps, at most, in which it comes to word frequencies and no further, at a tenth of that."""


def text(seed, sequences, name):
    """Phrases one after another, as sequences of words behind the special tokens."""
    order = np.random.default_rng(seed).integers(0, len(PHRASES), sequences * LENGTH // 4)
    words = PHRASES[order].ravel()[: sequences * (LENGTH - 1)] + 5
    return PackedSequences(tokens=words.astype(np.uint16), length=LENGTH, cls=2, name=name)


@pytest.fixture
def job_of(tiny, tmp_path):
    def make(name, learning_rate, steps):
        sizes = {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 32,
            "initializer_range": 0.1,
        }
        job = tiny.tiny_job(
            tmp_path,
            learning_rate=learning_rate,
            batch=16,
            steps=steps,
            export_steps=(steps,),
            train=text(1, 4000, "train"),
            heldout=text(2, 600, "heldout"),
            heldout_batches=8,
        )
        kind = REGISTRY.objective(name)
        return replace(
            job,
            objective=kind,
            config=configured(kind, {}),
            encoder=EncoderSection(model_type="modernbert", config=sizes),
            length=LENGTH,
        )

    return make


def lines_of(session):
    """The lines of the session's text, as a study measures them, under the common loss's masks."""
    vocabulary = session.job.vocabulary
    special = np.zeros(vocabulary.size, dtype=bool)
    special[list(vocabulary.special)] = True
    counted = count_text(session.job.train, special)

    def hidden(batches):
        made = [(batch, mask_tokens(batch, vocabulary, streams())) for batch, streams in batches]
        each = [(batch.input_ids, m.input_ids, m.predicted) for batch, m in made]
        ids, read, predicted = (torch.cat(rows).numpy() for rows in zip(*each, strict=True))
        return ids, masked_tokens(ids, read, predicted, vocabulary.mask)

    ids, masked = hidden(heldout_batches(session))
    kept = torch.from_numpy(counted.kept_back)
    batch = Batch(kept, torch.from_numpy(special)[kept], None, Rows.alone(len(kept)))
    _, kept_masked = hidden([(batch, lambda: Streams(1, rows=len(kept)))])
    kept_next = next_tokens(counted.kept_back, special)
    origin = Provenance(
        command="", versions={}, device="cpu", threads=1, processes=1, git_commit=None,
        started="", finished="",
    )  # fmt: skip
    return ReferenceLines(
        lines={
            "masked": measure_lines(counted, masked, kept_masked),
            "next": measure_lines(counted, next_tokens(ids, special), kept_next),
        },
        train_tokens=counted.tokens,
        heldout_tokens=len(masked),
        key="a",
        provenance=origin,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_untrained_stuck_and_learnt_come_out_as_that(job_of, silent, name):
    job = job_of(name, 1e-2, STEPS[name])
    session = Session(job)
    lines, untrained = lines_of(session), common_loss(session)
    slow = job_of(name, 1e-3, min(STEPS[name], ON_THE_PLATEAU))
    stuck, learnt = (pretrain(each, silent).points[-1].common for each in (slow, job))
    assert abs(untrained.order_gain) <= 3 * untrained.error
    assert stuck.loss < 0.9 * untrained.loss, "it has learnt something"
    found = [point_status(common, lines) for common in (untrained, stuck, learnt)]
    assert found == ["stuck", "stuck", "learnt"]
    assert learnt.order_gain > 6 * learnt.error, learnt
