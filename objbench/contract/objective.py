"""The contract of an objective: a corruption of the batch plus weighted loss terms.

A step arranges the batch as the terms need it, corrupts it, runs the encoder once over the result,
and passes the output to every term. A term declares what it needs of that pass, so terms compose:
the contrastive term of one objective can be combined with the cross-entropy of another. An
objective with a second network, such as a generator, keeps it as a module of its own and runs it
inside ``corrupt``. The engine knows this contract and no objective by name.

Shape legend: B sequences of this process, T tokens, D width of the encoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.random_streams import Streams
from objbench.contract.term import Need, Term


@dataclass(frozen=True, slots=True)
class TokenReading:
    """How the token head is used to predict words, for suites that score the exported encoder.

    Attributes:
        reads: whether a token is predicted from the hidden state at its own position, where the
            input is masked, or from that at the previous position.
        attention: which tokens may be attended to. "previous" with "causal" is an ordinary
            language model, whose input is not masked.
    """

    reads: Literal["own", "previous"] = "own"
    attention: Literal["bidirectional", "causal"] = "bidirectional"

    @property
    def is_left_to_right(self) -> bool:
        """Whether every token is predicted from all earlier tokens and from nothing else."""
        return self.reads == "previous" and self.attention == "causal"


class AddedTerm(Term):
    """A term that can be added to any objective: ``--objectives mlm+NAME``.

    Registered by ``register_terms``. It is built after the objective that it joins, which it may
    query (whether it predicts slots, and how many) but must not keep. Where that hides tokens from
    the encoder (``Corrupted.real``), a term that reads them is refused before anything is trained.

    Attributes:
        name: lowercase; the same as the plugin's entry point, and the name in logs and records.
        summary: one line for lists and tables.
        reference: the paper, with a link where there is one.
        Config: a frozen dataclass of hyperparameters, every field with a default; one of them is
            ``weight``, the factor of the term in the total loss.
    """

    summary: ClassVar[str]
    reference: ClassVar[str]

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """No hyperparameters; a term declares its own, including ``weight``."""

    def __init__(self, config: Any, encoder_spec: EncoderSpec, joined: Objective) -> None:
        super().__init__()
        self.config = config
        self.weight = config.weight


class Objective(nn.Module, ABC):
    """A pretraining objective: a subclass makes four declarations and defines two methods.

    The engine builds an objective under a seeded global generator, so that ordinary ``nn.Module``
    initialisation is reproducible; afterwards the objective draws from ``Streams`` only.

    Attributes:
        name: lowercase; the same as the plugin's entry point.
        summary: one line for lists and tables.
        reference: the paper, with a link where there is one.
        is_baseline: whether it is the baseline of ``--objectives all``; not inherited by
            subclasses.
        across_sequences: as that of its own terms; "" if none of them has any.
        Config: a frozen dataclass of hyperparameters, every field with a default.
        terms: the loss terms, set by the subclass's ``__init__`` with ``set_terms``.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    is_baseline: ClassVar[bool] = False
    across_sequences: ClassVar[str] = ""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """No hyperparameters."""

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__()
        self.config = config
        self.encoder_spec = encoder_spec
        self._counted: str | None = None
        self._terms = nn.ModuleList()

    def __setattr__(self, name: str, value: Tensor | nn.Module) -> None:
        # nn.Module would store it, but attributes of the class hide modules of the same name.
        if isinstance(value, nn.Module | nn.Parameter) and hasattr(Objective, name):
            raise AttributeError(
                f"{type(self).__name__}: `{name}` is an attribute of objbench.Objective; "
                "store the module under another name"
            )
        super().__setattr__(name, value)

    def set_terms(self, *terms: Term) -> None:
        """Declare the loss terms; call it once, at the end of ``__init__``."""
        self._terms = nn.ModuleList(terms)

    @property
    def terms(self) -> Sequence[Term]:
        """The loss terms, in the order declared."""
        return tuple(self._terms)  # type: ignore[arg-type]

    @property
    def needs(self) -> frozenset[Need]:
        """The parts of the pass that any term needs."""
        return frozenset().union(*(term.needs for term in self.terms))

    @property
    def token_head(self) -> nn.Module | None:
        """The module that computes word logits (..., V) from states (..., D) and embeddings (V, E).

        The ``token_head`` of the first term that has one; None if no term predicts words with the
        encoder. A ``heads.TokenHead`` is exported with the encoder, for suites that score words and,
        where transformers has a language model of that form, for ``AutoModelForMaskedLM``; any other
        head is not exported, because nothing could load it.
        """
        heads = (getattr(term, "token_head", None) for term in self.terms)
        return next((head for head in heads if head is not None), None)

    @property
    def token_reading(self) -> TokenReading:
        """How the token head is used; as in a masked language model unless overridden."""
        return TokenReading()

    @property
    def modes(self) -> Mapping[str, float]:
        """The kinds of batches that the objective makes, each with its share; one by default.

        To be declared if the work of a step depends on a choice for the whole batch, such as the
        attention or the number of predictions. The cost of a step and the held-out loss are then
        means over the modes, weighted by these shares. Shares are positive and add up to 1.
        """
        return {"only": 1.0}

    def mode_of(self, batch: Batch, streams: Streams) -> str:
        """The mode of ``batch``: its own, or one drawn with the shares from the stream "mode".

        The same on every process, and known to the host without waiting.
        """
        if batch.mode is not None:
            return batch.mode
        lot, modes = streams.choice("mode"), list(self.modes.items())
        for mode, share in modes:
            lot -= share
            if lot < 0:
                return mode
        # Reached only through rounding.
        return modes[-1][0]

    @property
    def counted_modes(self) -> Mapping[str, float]:
        """The modes that ``slots`` and ``extra_flops`` are asked about, with their shares.

        All of them, or within ``counting`` one.
        """
        modes = self.modes
        return modes if self._counted is None else {self._counted: modes[self._counted]}

    @contextmanager
    def counting(self, mode: str) -> Iterator[None]:
        """Meanwhile ``slots`` and ``extra_flops`` are those of batches in ``mode``."""
        before, self._counted = self._counted, mode
        try:
            yield
        finally:
            self._counted = before

    def slots(self, length: int) -> int:
        """M, the number of predicted slots per sequence of ``length`` tokens; 0 for none.

        The maximum over ``counted_modes``: where modes differ, every one of them has its own number.
        """
        return 0

    def declared_rate(self, progress: float) -> float | None:
        """The share of the non-special tokens that is to be predicted, when ``progress`` is spent.

        What is really predicted is counted on the study's text before anything runs; a share that
        is off by more than a tenth is shown with the results, and one off by more than a half is
        refused. The default is the option ``rate``; override it if the rate changes over
        the budget, or if ``rate`` means something else (None: nothing is declared).
        """
        rate = getattr(self.config, "rate", None)
        return rate if isinstance(rate, float) and 0 < rate <= 1 else None

    @classmethod
    def teachers(cls, config: Any) -> tuple[str, ...]:
        """Names of the objectives of the study whose exported encoders this one learns from.

        Each is pretrained first, with the same seed; ``learn_from`` gets its final encoder.
        """
        return ()

    def learn_from(self, teachers: Mapping[str, nn.Module]) -> None:
        """Receive the frozen encoders of ``teachers``, in evaluation mode, on the right device.

        The engine owns them: keep them in a way that does not make them submodules, such as in a
        tuple. Called once, before ``tie``.

        Args:
            teachers: name of an objective -> its Hugging Face encoder. To measure the cost of a
                step, encoders may be freshly initialised: nothing here may depend on the weights.
        """

    def tie(self, encoder: nn.Module) -> None:
        """Share weights with ``encoder``; called once, when both are built. No-op by default.

        The encoder owns them: keep its modules in a way that does not make them submodules, such
        as in a tuple, so that their weights are stored, counted and trained once. Create no
        modules here: initial weights are reproducible in ``__init__`` only.

        Args:
            encoder: the Hugging Face model that is pretrained and exported.

        Raises:
            ConfigError: the encoder lacks what the objective shares.
        """

    @abstractmethod
    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """The encoder's input, made from ``batch``, which must not be changed in place.

        Draw from ``streams`` only. Objectives that use the same stream name, such as "mask", get
        the same numbers, and so share masks.
        """

    def outline(self, batch: Batch, streams: Streams) -> Corrupted:
        """What ``corrupt`` will make of ``batch``, as far as the terms need it to count.

        With ``--micro-batches`` all parts of a batch are outlined before the first is corrupted.
        To be overridden if ``corrupt`` runs a network that changes no count: leave it out here.
        """
        return self.corrupt(batch, streams)

    def extra_flops(self, batch: int, length: int) -> float:
        """Training FLOPs of one batch that torch's counter cannot see, including all terms.

        Asked for within ``counting`` each mode, so that a term may use ``slots``. An override that
        knows no modes returns the expected value each time.
        """
        return sum(term.extra_flops(batch, length) for term in self.terms)
