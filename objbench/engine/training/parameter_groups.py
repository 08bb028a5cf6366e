"""The parameters that are trained, in groups that an optimizer may treat differently."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from objbench.study.settings import ParameterGroup


def parameter_groups(module: nn.Module) -> dict[ParameterGroup, list[nn.Parameter]]:
    """The groups of ``settings.ParameterGroup`` that ``module`` has parameters of, in their order.

    - "matrices": of Hugging Face models (the encoder, and a generator), those with two or more
      dimensions, but for embeddings: matrices, kernels of convolutions, and ConvBERT's bias;
    - "embeddings": the parameters of every ``nn.Embedding``, also where a decoder shares them;
    - "heads": those of the objective with two or more dimensions;
    - "vectors": those of one dimension, which are biases and the scales of normalisations.
    """
    embedded: set[int] = set()
    hidden: set[int] = set()
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            # Not its ``weight``, which is no parameter where it is parametrised.
            embedded.update(id(parameter) for parameter in part.parameters())
        if isinstance(part, PreTrainedModel):
            hidden.update(id(parameter) for parameter in part.parameters())
    groups: dict[ParameterGroup, list[nn.Parameter]] = {
        "matrices": [],
        "embeddings": [],
        "heads": [],
        "vectors": [],
    }
    for parameter in module.parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim < 2:
            name: ParameterGroup = "vectors"
        elif id(parameter) in embedded:
            name = "embeddings"
        else:
            name = "matrices" if id(parameter) in hidden else "heads"
        groups[name].append(parameter)
    return {name: found for name, found in groups.items() if found}


def product_matrices(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of the group "matrices" that are a matrix of a product, which Muon trains.

    Those of exactly two dimensions that are no bias, whatever the shape of a bias: an update can be
    orthogonalised if it is one linear map. A kernel of a convolution is several.
    """
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [
        parameter
        for parameter in parameter_groups(module).get("matrices", [])
        if parameter.ndim == 2 and not _is_bias(names[id(parameter)])
    ]


def _is_bias(name: str) -> bool:
    # Of a parametrised bias the name is "...parametrizations.bias.original0".
    return any(part == "bias" or part.endswith("_bias") for part in name.split(".")[-2:])
