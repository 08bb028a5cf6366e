"""What `sentence-transformers` reads of an export: a text's vector is the mean of its last states.

Three small files, in the layout that all its versions read. The mean is over all tokens of the text,
special ones included and padding not, as ``engine.evaluation.embed`` takes it for the suites.
"""

from __future__ import annotations

import json
from pathlib import Path

from transformers import PreTrainedModel

from objbench.engine.encoder.load import pooler_options

_MODULES = "modules.json"
_TRANSFORMER = "sentence_bert_config.json"
_POOLING = "1_Pooling"
_KINDS = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")


def save_sentence_layout(encoder: PreTrainedModel, folder: Path) -> None:
    """Write into ``folder`` what makes ``SentenceTransformer(folder)`` the encoder with mean pooling.

    Args:
        encoder: what is exported there; its weights and tokenizer are read from the same folder.
    """
    modules = [("0", "", "Transformer"), ("1", _POOLING, "Pooling")]
    _write(
        folder / _MODULES,
        [
            {"idx": int(n), "name": n, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for n, path, kind in modules
        ],
    )
    # A pooler that nothing has trained is not made.
    _write(folder / _TRANSFORMER, {"model_args": pooler_options(encoder.config)})
    (folder / _POOLING).mkdir()
    _write(
        folder / _POOLING / "config.json",
        {
            "word_embedding_dimension": int(encoder.config.hidden_size),
            **{f"pooling_mode_{kind}": kind == "mean_tokens" for kind in _KINDS},
        },
    )


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
