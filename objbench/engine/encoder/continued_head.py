"""The token head of a checkpoint, for the objectives that continue from it.

It is the head that objbench exported with the encoder, or that of transformers' masked language model
for the architecture, where this computes what ``TokenHead`` computes. That is tried in float64, not
looked up in a list of architectures: a class may have an activation of its own.

An objective gets it in its own token head, whichever tokens that reads and predicts; all its other
weights are new. So all objectives with a token head begin with the same one.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel

from objbench.blocks.heads import TokenHead
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective
from objbench.engine.encoder.build import word_embeddings
from objbench.engine.encoder.checkpoint_source import CheckpointSource
from objbench.engine.encoder.continued import source_of
from objbench.engine.encoder.export_check import TOLERANCE, probe
from objbench.engine.encoder.language_model import NoLanguageModelError, head_places
from objbench.engine.encoder.load import quiet_loading
from objbench.engine.encoder.token_head import has_token_head, load_token_head
from objbench.errors import CheckpointError, one_line
from objbench.study.settings import EncoderSection

_known: dict[tuple[str, str], dict[str, Tensor] | str] = {}
"""Digest of the last checkpoint and activation of the head -> its tensors, or why there are none."""


def continue_head(objective: Objective, section: EncoderSection) -> str:
    """Set the token head of ``objective`` to the checkpoint's; returns "", or why it stays new.

    Args:
        objective: built on the checkpoint's encoder, not tied yet; on the CPU.
        section: names the checkpoint.

    Raises:
        CheckpointError, HubError: the checkpoint cannot be read.
    """
    head = objective.token_head
    if type(head) is not TokenHead:
        return "it has no token head in the form of BERT's"
    spec = objective.encoder_spec
    known = (section.init_digest or "", spec.activation)
    if known not in _known:
        _known.clear()
        _known[known] = _found(source_of(section), spec)
    weights = _known[known]
    if isinstance(weights, str):
        return weights
    shapes = {name: tensor.shape for name, tensor in head.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in weights.items()}:
        return "the checkpoint's head has other shapes"
    head.load_state_dict(weights)
    return ""


def _found(source: CheckpointSource, spec: EncoderSpec) -> dict[str, Tensor] | str:
    """The tensors of the checkpoint's head as those of a ``TokenHead``, or why it has none."""
    if has_token_head(source.folder):
        head, _ = load_token_head(source.folder, spec.vocabulary)
        return dict(head.state_dict())
    try:
        return _of_language_model(source, spec)
    except (NoLanguageModelError, CheckpointError) as error:
        return one_line(error)


def _of_language_model(source: CheckpointSource, spec: EncoderSpec) -> dict[str, Tensor]:
    """The tensors of the head of transformers' masked language model.

    Raises:
        NoLanguageModelError: there is none in the checkpoint, or it computes something else.
        CheckpointError: the class cannot load the checkpoint.
    """
    with quiet_loading(source.folder), torch.random.fork_rng(devices=[]):
        found: Any = AutoModelForMaskedLM.from_pretrained(
            str(source.folder),
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    model, report = cast(PreTrainedModel, found[0]), found[1]
    places = head_places(model)
    if lacking := set(places.values()) & {str(name) for name in report["missing_keys"]}:
        raise NoLanguageModelError(f"the checkpoint has no head (no {min(lacking)})")
    head = TokenHead(spec)
    weights = {name: torch.zeros_like(tensor) for name, tensor in head.state_dict().items()}
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for part, place in places.items():
        weights[part] = parameters[place].detach().clone()
    try:
        head.load_state_dict(weights)
        apart = _difference(model, head, spec.vocabulary)
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise NoLanguageModelError(f"{type(model).__name__}: {one_line(error)[:200]}") from error
    if apart > TOLERANCE:
        raise NoLanguageModelError(f"the head of {type(model).__name__} computes something else")
    return weights


@torch.no_grad()
def _difference(model: PreTrainedModel, head: TokenHead, vocabulary: Vocabulary) -> float:
    """The largest difference of two logits, relative to the largest logit or to 1; in float64."""
    # As it was loaded, without dropout.
    model, ids = model.double(), probe(vocabulary)
    encoder = cast(nn.Module, getattr(model, model.base_model_prefix))
    states = encoder(input_ids=ids)[0]
    ours = head.double()(states, word_embeddings(cast(PreTrainedModel, encoder)))
    theirs = model(input_ids=ids).logits
    return float((ours - theirs).abs().max()) / max(1.0, float(ours.abs().max()))
