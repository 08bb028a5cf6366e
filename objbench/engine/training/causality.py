"""Check that an encoder respects a causal mask, once, before an objective relies on it.

Most of transformers' encoders take a mask of four dimensions as it is. Some fail on one (DeBERTa),
and some accept it and look ahead all the same: by a convolution over time (ConvBERT), by neighbours
joined in the embeddings (MobileBERT), by landmarks (Nystroemformer), or because they have no
attention to mask (FNet). A language model that sees the token it should predict has a low loss and
learns nothing. So the encoder is not judged by its name but by what it computes.

Shape legend: B sequences, T tokens.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from objbench.contract.batch import Batch
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.attention_mask import attention_mask, written_out
from objbench.engine.encoder.build import word_embeddings
from objbench.engine.training.flops import leaving_no_trace
from objbench.engine.training.stand_in import StandIn
from objbench.engine.training.step import TrainingStep
from objbench.errors import ConfigError, one_line

ROWS = 2
"""Sequences that are tried."""

ALIKE = 1e-4
"""Largest difference of hidden states that another kernel makes, relative to their largest."""

UNMOVED = 1e-5
"""The largest difference where nothing should change, relative in the same way."""


def require_causal_where_asked(step: TrainingStep, batch: Batch, streams: Streams) -> None:
    """Refuse an encoder that looks ahead, if the objective has a mode that forbids it.

    Leaves no trace in ``step``.

    Args:
        step: encoder and objective.
        batch: (B, T), any rows.
        streams: the batch's.

    Raises:
        ConfigError: the encoder does not respect a causal mask.
    """
    with leaving_no_trace(step, batch), torch.no_grad():
        made = (step.corrupt(replace(batch, mode=m), streams) for m in step.objective.modes)
        if any(readings.corrupted.causal for readings in made):
            require_causal(step.encoder, batch)


def require_causal_family(tried: StandIn) -> None:
    """Refuse a family that looks ahead under an objective that forbids it, before anything is trained.

    A checkpoint, and what cannot be built or run so, is left to ``require_causal_where_asked``.

    Args:
        tried: the objective with a few layers of the family.

    Raises:
        ConfigError: the family does not respect a causal mask.
    """
    if tried.section.init is not None:
        return
    batch, objective = tried.batch, tried.objective
    try:
        streams = Streams(0, 0, rows=batch.rows.total)
        made = (objective.corrupt(replace(batch, mode=mode), streams) for mode in objective.modes)
        if not any(corrupted.causal for corrupted in made):
            return
        encoder = tried.encoder()
        encoder(input_ids=batch.input_ids[:ROWS])
    except (Exception, SystemExit):  # noqa: BLE001 - what is wrong shows elsewhere, in its own words
        return
    require_causal(encoder, batch)


@torch.no_grad()
def require_causal(encoder: PreTrainedModel, batch: Batch) -> None:
    """Refuse an encoder that does not respect a causal mask.

    Without dropout, in float32, on the first rows of ``batch``: an explicit mask that hides nothing
    must change nothing, which shows that it is read as intended; and under a causal mask, other
    tokens in the second half of the sequence must not change the states of the first half.

    Raises:
        ConfigError: it fails on the mask, misreads it, or looks ahead.
    """
    training = encoder.training
    encoder.train(False)
    try:
        with torch.autocast(batch.input_ids.device.type, enabled=False):
            fault = _fault(encoder, batch.input_ids[:ROWS], batch)
    except Exception as error:  # noqa: BLE001 - whatever it is, training would fail too
        fault = f"it fails on one ({one_line(error)[:120]})"
    finally:
        encoder.train(training)
    if fault:
        raise ConfigError(
            f"the encoder {encoder.config.model_type!r} does not respect the causal mask that the "
            f"objective needs: {fault}; choose another, such as 'bert' or 'modernbert'"
        )


def _fault(encoder: PreTrainedModel, ids: Tensor, batch: Batch) -> str:
    """What the encoder does wrong, or ""; ``ids`` are (B, T)."""
    rows, length = ids.shape
    plain = encoder(input_ids=ids).last_hidden_state
    scale = plain.abs().max()
    everything = torch.ones(rows, 1, length, length, dtype=torch.bool, device=ids.device)
    mask = written_out(encoder, everything)
    unhidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    if not bool((unhidden - plain).abs().max() <= ALIKE * scale):
        return "it misreads an explicit mask"
    half = length // 2
    later = torch.arange(length, device=ids.device) >= half
    words = len(word_embeddings(encoder))
    causal = attention_mask(encoder, replace(batch, input_ids=ids, attention=None), causal=True)
    one, other = (
        encoder(input_ids=tokens, attention_mask=causal).last_hidden_state[:, :half]
        for tokens in (ids, torch.where(later, (ids + 1) % words, ids))
    )
    if half and not bool((one - other).abs().max() <= UNMOVED * scale):
        return "its states depend on the tokens after them"
    return ""
