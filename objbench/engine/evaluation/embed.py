"""The states of a frozen encoder's last layer, for suites.

Without dropout and without gradients, so the numbers are a function of the encoder and the text
alone. Sentences of similar length share a batch, as in the predictions of ``finetune``.

Shape legend: N examples, T tokens, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from objbench.contract.suite import EvaluationContext
from objbench.data.device_copy import copied_to
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.encoder.load import fresh_encoder, load_tokenizer
from objbench.engine.evaluation.batching import assemble, evaluation_batches
from objbench.engine.evaluation.classifier import length_limit, mean_state, token_states
from objbench.engine.evaluation.examples import Source, TokenisedExamples, tokenised
from objbench.engine.evaluation.finetune import EVALUATION_TOKENS, autocast


@dataclass(frozen=True, slots=True)
class Embedded:
    """The states of N examples, in their order.

    Attributes:
        mean: (N, D) float32, the mean over an example's tokens, special tokens included.
        first: (N, D) float32, the first token's, [CLS] in BERT.
        labels: (N,) int64 or float32.
        length: most tokens of an example, after the encoder's own limit.
    """

    mean: NDArray[np.float32]
    first: NDArray[np.float32]
    labels: NDArray[Any]
    length: int


def embed(
    encoder: Path, sources: Mapping[str, Source], length: int, context: EvaluationContext
) -> Mapping[str, Embedded]:
    """Embed every example of every source once with the encoder in the folder ``encoder``.

    Args:
        encoder: folder that ``AutoModel`` and ``AutoTokenizer`` load.
        sources: name -> examples; a pair is one sequence, as the tokenizer joins it.
        length: most tokens of an example, special tokens included; longer ones are cut.
        context: device, precision and cache.

    Raises:
        CheckpointError: the folder holds no encoder.
        DataError: encoder and tokenizer do not fit.
        FloatingPointError: a state is not finite.
    """
    device = torch.device(context.device)
    model = frozen_encoder(encoder, device)
    tokenizer = load_tokenizer(encoder)
    length = length_limit(model, tokenizer, length, encoder)
    use_cpu_kernels(model, device, context.precision, length)
    parts = {
        name: tokenised(source, tokenizer, length, context.cache)
        for name, source in sources.items()
    }
    total = sum(map(len, parts.values()))
    embedded: dict[str, Embedded] = {}
    done = 0
    for name, examples in parts.items():
        states = _states(model, examples, device, context.precision)
        if not np.isfinite(states).all():
            raise FloatingPointError(
                f"the encoder's states of {name} are not finite; use --precision fp32"
            )
        width = states.shape[1] // 2
        embedded[name] = Embedded(states[:, :width], states[:, width:], examples.labels, length)
        done += len(examples)
        context.progress(done, total, "embedded")
    return embedded


def sequence_states(
    encoder: Path, sequences: NDArray[np.int64], context: EvaluationContext
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The encoder's states of token sequences of one length, batch by batch.

    Args:
        encoder: folder that ``AutoModel`` loads.
        sequences: (N, T) int64 token ids, nothing padded.
        context: device and precision.

    Yields:
        (B, T, D) float32, the states of the last layer, and (B, T, D) float32, the output of the
        embedding layer, of the next B sequences.

    Raises:
        CheckpointError: the folder holds no encoder.
        FloatingPointError: a state is not finite.
    """
    device = torch.device(context.device)
    model = frozen_encoder(encoder, device)
    length = sequences.shape[1]
    use_cpu_kernels(model, device, context.precision, length)
    rows = max(1, EVALUATION_TOKENS // length)
    for start in range(0, len(sequences), rows):
        ids = copied_to(torch.from_numpy(sequences[start : start + rows]), device)
        with torch.inference_mode(), autocast(device, context.precision):
            output = model(input_ids=ids, output_hidden_states=True)
        pair = (output.last_hidden_state, output.hidden_states[0])
        states, embedded = (tensor.float().cpu().numpy() for tensor in pair)
        if not np.isfinite(states).all():
            raise FloatingPointError("the encoder's states are not finite; use --precision fp32")
        yield states, embedded
        context.progress(min(start + rows, len(sequences)), len(sequences), "read")


def frozen_encoder(folder: Path, device: torch.device) -> nn.Module:
    """The encoder in ``folder`` in evaluation mode on ``device``; draws nothing.

    Raises:
        CheckpointError: the folder holds no encoder.
    """
    return fresh_encoder(folder).to(device).eval()


def _states(
    model: nn.Module, examples: TokenisedExamples, device: torch.device, precision: str
) -> NDArray[np.float32]:
    """(N, 2 D) float32, the mean and the first state, in the order of the examples."""
    batches = evaluation_batches(examples.lengths, EVALUATION_TOKENS)
    parts: list[Tensor] = []
    with torch.inference_mode(), autocast(device, precision):
        for rows in batches:
            batch = assemble(examples, rows).to(device)
            # In float32: in half precision a sum over a long example loses digits.
            states = token_states(model, batch).float()
            parts.append(torch.cat([mean_state(states, batch.attention), states[:, 0]], dim=1))
    # One copy at the end, so that nothing waits for the device before it.
    by_length = torch.cat(parts).cpu().numpy()
    ordered = np.empty_like(by_length)
    ordered[np.concatenate(batches)] = by_length
    return ordered
