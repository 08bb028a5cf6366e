"""The README.md of an export: what is in the folder and the lines that load it."""

from __future__ import annotations

import inspect

from transformers import PreTrainedModel

from objbench.contract.objective import Objective

_TOKENIZER = "tokenizer = AutoTokenizer.from_pretrained(folder)"


def export_readme(encoder: PreTrainedModel, objective: Objective, reason: str) -> str:
    """The text of the README.md.

    Args:
        encoder: what was exported.
        objective: what it was pretrained with.
        reason: why it is not a language model of transformers; "" where it is one.
    """
    encoder_line = f"encoder = AutoModel.from_pretrained(folder{_without_pooler(encoder)})"
    if reason:
        lines = ["from transformers import AutoModel, AutoTokenizer", _TOKENIZER, encoder_line]
        what = (
            "It is the encoder alone. A class of transformers with a head on top would initialise that "
            f"head at random, because {reason}."
        )
    elif objective.token_reading.is_left_to_right:
        lines = [
            "from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer",
            _TOKENIZER,
            encoder_line,
            "model = AutoModelForCausalLM.from_pretrained(folder, is_decoder=True)",
        ]
        what = (
            "It is the encoder with its trained head. The head reads from left to right, under a "
            "causal mask: without `is_decoder=True` every token sees every other, as suites read "
            "the encoder."
        )
    else:
        lines = [
            "from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, pipeline",
            _TOKENIZER,
            encoder_line,
            "model = AutoModelForMaskedLM.from_pretrained(folder)",
            'fill = pipeline("fill-mask", model=folder)',
        ]
        what = "It is the encoder with its trained head."
    lines.insert(1, 'folder = "."  # where this file is')
    lines += [
        "",
        "# One vector per text, the mean of its last hidden states: pip install sentence-transformers",
        "from sentence_transformers import SentenceTransformer",
        "sentences = SentenceTransformer(folder)",
    ]
    if not reason:
        what += " `AutoModel` has no head and lists the head's weights as unexpected."
    return (
        f"# {encoder.config.model_type}, pretrained with {objective.name}\n\n{what}\n\n"
        "```python\n" + "\n".join(lines) + "\n```\n"
    )


def _without_pooler(encoder: PreTrainedModel) -> str:
    """The argument that leaves out a pooling layer, which nothing has trained, where there is one."""
    options = inspect.signature(type(encoder)).parameters
    pooled = "add_pooling_layer" in options and options["add_pooling_layer"].default
    return ", add_pooling_layer=False" if pooled else ""
