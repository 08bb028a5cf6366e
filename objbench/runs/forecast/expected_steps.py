"""What the steps of a study are expected to cost, from shapes alone: no text, no device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from objbench.data.tokenizer import TRAIN_PREFIX
from objbench.engine.encoder.continued import source_of
from objbench.engine.measuring.fake_network import Planned
from objbench.engine.measuring.fake_step import FakeStep
from objbench.engine.measuring.objective_size import SPECIAL, fake_step
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.study.settings import TrainingSection
from objbench.study.study import Study

BERT_WORDS = 30522


@dataclass(frozen=True, slots=True)
class ExpectedStep:
    """The step of one objective.

    Attributes:
        shape: counts it.
        training: the settings that it is trained with.
        flops, tokens: of a whole batch, on one process.
        computed: FLOPs with those of layers that are computed again.
        launches: operators of a whole batch; those of a GPU, which do not grow with the batch.
        moved: bytes that these read and write.
    """

    shape: FakeStep
    training: TrainingSection
    flops: float
    tokens: int
    computed: float
    launches: float
    moved: float

    def peak(self, parts: int, recomputes: bool | None = None) -> int:
        """Bytes that live at the same time if the batch is computed in ``parts`` parts.

        ``recomputes`` as for ``FakeStep.peak``.
        """
        return self.shape.peak(self.training.batch, parts, recomputes)


def vocabulary_size(study: Study) -> int:
    """Words of the vocabulary: of a checkpoint's, as "train:SIZE" makes it at most, or of BERT's.

    Raises:
        CheckpointError, HubError: the checkpoint cannot be read.
    """
    if study.encoder.init is not None:
        words = source_of(study.encoder).config.get("vocab_size")
        return words if isinstance(words, int) and words > len(SPECIAL) else BERT_WORDS
    tokenizer = study.data.tokenizer
    digits = tokenizer.removeprefix(TRAIN_PREFIX)
    return int(digits) if tokenizer != digits and digits.isdecimal() else BERT_WORDS


def expected_steps(
    study: Study, plugins: ConfiguredPlugins, words: int, planned: Planned
) -> Mapping[str, ExpectedStep]:
    """Objective -> its step.

    Args:
        words: of the vocabulary.
        planned: the kind of device.

    Raises:
        ConfigError: an encoder does not fit.
    """
    found = {}
    for name, (kind, _) in plugins.objectives.items():
        own = study.for_objective(name)
        config = plugins.config(own, name)
        training, length = own.training, own.data.length
        shape = fake_step(kind, config, own.encoder, training, words, length, planned)
        parts = training.micro_batches
        part = shape.whole(training.batch // parts)
        found[name] = ExpectedStep(
            shape=shape,
            training=training,
            flops=parts * shape.flops(training.batch // parts),
            tokens=training.batch * length,
            computed=parts * part.flops,
            launches=parts * part.launches,
            moved=parts * part.moved,
        )
    return found
