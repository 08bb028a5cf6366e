"""The preset where neither ``--preset`` nor ``--config`` is given: one that fits this machine.

Without a GPU it is ``demo``, on the toy language that is part of objbench, or ``tiny`` where a
corpus is named. With a GPU it is ``mini`` on WikiText-103 from the hub, and ``demo`` where the hub
is out of reach. A run folder that was begun this way keeps its preset, so that the same command
continues it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.errors import HubError, RecordError, one_line
from objbench.study.files import Layer, merge, preset_layer

ON_CPU, ON_CPU_WITH_TEXT, ON_GPU = "demo", "tiny", "mini"

CORPUS = "hf:Salesforce/wikitext:wikitext-103-raw-v1"
"""About 100M words of English Wikipedia articles (Merity et al. 2017, arXiv:1609.07843), CC BY-SA;
https://huggingface.co/datasets/Salesforce/wikitext. Small enough to be read in minutes."""

LEAST_MEMORY = 8 * 2**30
"""Bytes of a GPU below which ``mini`` is not chosen: its step of 256 x 128 tokens in half precision
takes well under half of that by the sizes of its tensors; not measured on a GPU."""

HOW_TO_CHOOSE = "choose otherwise with --preset, --corpus, --config, --budget, --seeds, --device"


@dataclass(frozen=True, slots=True)
class MachineChoice:
    """A preset, and why it is the one.

    Attributes:
        preset: its name.
        layer: the preset, with a corpus where it has none.
        reason: such as "there is no GPU".
    """

    preset: str
    layer: Layer
    reason: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes:
        name: as its driver calls it.
        memory: bytes.
        has_bfloat16: whether it computes in bfloat16 itself.
    """

    name: str
    memory: int
    has_bfloat16: bool


def machine_choice(given: Layer, device: str | None, run: Path, *, alone: bool) -> MachineChoice:
    """What fits this machine.

    Args:
        given: what the flags say.
        device: the device that was asked for; None for the first GPU, otherwise the CPU.
        run: the run folder; a study that is there already keeps its preset.
        alone: whether this is the only process. Several must choose alike whatever the hub answers
            each of them, so they do not try it.
    """
    corpus = (given.get("data") or {}).get("corpus")
    before = _preset_of(run)
    if before:
        return _chosen(before, f"{run} was begun with it", corpus, None)
    gpu = find_gpu(device)
    if gpu is None or gpu.memory < LEAST_MEMORY:
        small = "the GPU has less than 8 GiB" if gpu else "there is no GPU"
        reason = small if device is None or gpu else f"--device is {device}"
        return _chosen(ON_CPU_WITH_TEXT if corpus else ON_CPU, reason, corpus, gpu)
    unreachable = "" if corpus or not alone else why_unreachable(CORPUS)
    if unreachable:
        return _chosen(ON_CPU, f"the hub is out of reach: {unreachable}", corpus, gpu)
    return _chosen(ON_GPU, f"the GPU is {gpu.name}", corpus, gpu)


def find_gpu(device: str | None) -> Gpu | None:
    """The GPU that a run would use; None where it would use none."""
    if device is not None and not device.startswith("cuda"):
        return None
    import torch

    number = int((device or "").partition(":")[2] or 0)
    if not torch.cuda.is_available() or number >= torch.cuda.device_count():
        return None
    found = torch.cuda.get_device_properties(number)
    # Before Ampere (compute capability 8) bfloat16 is emulated.
    return Gpu(found.name, found.total_memory, found.major >= 8)


def why_unreachable(corpus: str) -> str:
    """Why a corpus cannot be read from the hub, on one line; "" where it can."""
    from objbench.data.hub_documents import open_hub

    try:
        open_hub(corpus, "text")
    except HubError as error:
        return one_line(error)
    return ""


def described(choice: MachineChoice, study: Any, run: str) -> list[str]:
    """The first lines of a run: what was chosen, why, where it goes, and how to choose otherwise.

    Args:
        study: the whole study, an ``objbench.study.study.Study``.
    """
    config = study.encoder.config
    layers, width = config.get("num_hidden_layers"), config.get("hidden_size")
    corpus = study.data.corpus
    generated = " (a generated language, no download)" if corpus == "toy" else ""
    kind, init = study.encoder.model_type, study.encoder.init
    encoder = f"{kind} of {init}" if init else f"{kind}, {layers} layers, width {width}"
    seeds = ",".join(map(str, study.seeds[:10])) + (",..." if len(study.seeds) > 10 else "")
    return [
        f"no --preset is given: preset {choice.preset}, because {choice.reason}",
        f"corpus {corpus}{generated}; encoder {encoder}; budget {study.budget}; seeds {seeds}",
        f"run folder {run} (--name); {HOW_TO_CHOOSE}",
    ]


def _chosen(preset: str, reason: str, corpus: str | None, gpu: Gpu | None) -> MachineChoice:
    layer = preset_layer(preset)
    if not corpus and not layer["data"].get("corpus"):
        layer = merge(layer, {"data": {"corpus": CORPUS}})
    if gpu and not gpu.has_bfloat16 and layer["training"].get("precision") == "bf16":
        layer = merge(layer, {"training": {"precision": "fp16"}})
    return MachineChoice(preset, layer, reason)


def _preset_of(run: Path) -> str | None:
    """The preset of the study in ``run``, if it is one of those chosen here."""
    # Imported here: it brings pydantic, which ``--help`` does without.
    from objbench.results.run_folder import read_plan

    try:
        preset = read_plan(run).preset
    except RecordError:
        # No study, or one that cannot be read: reported where the folder is opened.
        return None
    return preset if preset in (ON_CPU, ON_CPU_WITH_TEXT, ON_GPU) else None
