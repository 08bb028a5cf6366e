"""The contract of an objective: a corruption of the batch plus weighted loss terms.

A step arranges the batch as the terms want it, corrupts it, runs the encoder once over what came
out, and hands that pass to every term. A term says what it needs from that pass, so terms compose:
the contrastive term of one objective can stand beside the cross-entropy of another, and an
objective with a second network (a generator, say) keeps it among its own modules and runs it
inside ``corrupt``. The engine knows this file and no objective by name.

Shape legend: B sequences of this process, T tokens, D width of the encoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from objbench.contract.batch import Batch, Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.random_streams import Streams
from objbench.contract.term import Need, Term


@dataclass(frozen=True, slots=True)
class TokenReading:
    """How an objective's token head is read, for whoever asks the exported encoder about words.

    Attributes:
        reads: whether a token is predicted from the hidden state at its own position, where the
            input shows it hidden, or from that at the position before.
        attention: what tokens may attend to. Causal and from the position before is an ordinary
            language model, whose input hides nothing.
    """

    reads: Literal["own", "previous"] = "own"
    attention: Literal["bidirectional", "causal"] = "bidirectional"

    @property
    def is_left_to_right(self) -> bool:
        """Whether every token is predicted from all of those before it and from them alone."""
        return self.reads == "previous" and self.attention == "causal"


class AddedTerm(Term):
    """A term that can be added to any objective: ``--objectives mlm+NAME``.

    Registered by ``register_terms``. It is built after the objective that it joins, which it may
    ask about what it needs (has it predicted slots, and how many), and which it must not keep.

    Attributes:
        name: as registered, lowercase; the same as the plugin's entry point, and the name of the
            term in logs and records.
        summary: one line for lists and tables.
        reference: the paper, with a link where there is one.
        Config: a frozen dataclass of hyperparameters, every field with a default; one of them is
            ``weight``, the term's factor in the total loss.
    """

    summary: ClassVar[str]
    reference: ClassVar[str]

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """No hyperparameters; a term declares its own, ``weight`` among them."""

    def __init__(self, config: Any, encoder_spec: EncoderSpec, joined: Objective) -> None:
        super().__init__()
        self.config = config
        self.weight = config.weight


class Objective(nn.Module, ABC):
    """A pretraining objective: subclass, fill in the four declarations and two methods.

    An objective is built by the engine under a seeded global generator, so that ordinary
    ``nn.Module`` initialisation is reproducible; afterwards it draws from ``Streams`` only.

    Attributes:
        name: as registered, lowercase; the same as the plugin's entry point.
        summary: one line for lists and tables.
        reference: the paper, with a link where there is one.
        is_baseline: whether it stands first where a study asks for all objectives; of this class,
            not of those that derive from it.
        Config: a frozen dataclass of hyperparameters, every field with a default.
        terms: the loss terms, set by the subclass's ``__init__`` with ``set_terms``.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    is_baseline: ClassVar[bool] = False

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """No hyperparameters."""

    def __init__(self, config: Any, encoder_spec: EncoderSpec) -> None:
        super().__init__()
        self.config = config
        self.encoder_spec = encoder_spec
        self._terms = nn.ModuleList()

    def __setattr__(self, name: str, value: Tensor | nn.Module) -> None:
        # nn.Module would store it and never give it back: what a class has hides its modules.
        if isinstance(value, nn.Module | nn.Parameter) and hasattr(Objective, name):
            raise AttributeError(
                f"{type(self).__name__}: `{name}` is a name of the contract, objbench.Objective; "
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
        """Everything that some term needs of the pass."""
        return frozenset().union(*(term.needs for term in self.terms))

    @property
    def token_head(self) -> nn.Module | None:
        """What makes word logits (..., V) of states (..., D) and word embeddings (V, E).

        The ``token_head`` of the first term that has one; None where no term predicts words by
        the encoder. A ``heads.TokenHead`` is exported beside the encoder, for suites that ask
        about words; any other head stays behind, for nothing else could load it.
        """
        heads = (getattr(term, "token_head", None) for term in self.terms)
        return next((head for head in heads if head is not None), None)

    @property
    def token_reading(self) -> TokenReading:
        """How the token head is read: as a masked language model's, unless overridden."""
        return TokenReading()

    @property
    def modes(self) -> Mapping[str, float]:
        """The kinds of batches that the objective makes -> the share of each; one kind by default.

        Declared where a step's work depends on a choice for the whole batch: other attention, or
        another number of predictions. What a step costs, and the held-out loss, are then means
        over the modes with these shares instead of what one batch happens to be. Shares are above
        0 and add up to 1.
        """
        return {"only": 1.0}

    def mode_of(self, batch: Batch, streams: Streams) -> str:
        """The mode of ``batch``: the one asked for, or drawn from "mode" by the shares.

        The same on every process, and known to the host without a wait.
        """
        if batch.mode is not None:
            return batch.mode
        lot, modes = streams.choice("mode"), list(self.modes.items())
        for mode, share in modes:
            lot -= share
            if lot < 0:
                return mode
        # Only rounding leads here.
        return modes[-1][0]

    def slots(self, length: int) -> int:
        """M, the predicted slots of a sequence of ``length`` tokens; 0 where it predicts none.

        The most of any mode.
        """
        return 0

    @classmethod
    def teachers(cls, config: Any) -> tuple[str, ...]:
        """Names of the objectives of the study whose exported encoders this one learns from.

        Each is pretrained first with the same seed; its final encoder is handed to ``learn_from``.
        """
        return ()

    def learn_from(self, teachers: Mapping[str, nn.Module]) -> None:
        """Take the frozen encoders of ``teachers``, in evaluation mode, on the right device.

        They stay the engine's: hold them by a reference that makes them no children of this
        module (in a tuple, say). Called once, before ``tie``.

        Args:
            teachers: name of the objective -> its Hugging Face encoder. Where only the cost of a
                step is wanted it may be freshly initialised: nothing may depend on its weights.
        """

    def tie(self, encoder: nn.Module) -> None:
        """Share weights of ``encoder``; called once, when both are built. Shares none by default.

        The encoder stays their owner: hold its modules by a reference that makes them no children
        of this one (in a tuple, say), so that their weights are stored, counted and trained once.
        Make no modules here: initial weights are reproducible in ``__init__`` only.

        Args:
            encoder: the Hugging Face model that is pretrained and exported.

        Raises:
            ConfigError: it has not what the objective wants to share.
        """

    @abstractmethod
    def corrupt(self, batch: Batch, streams: Streams) -> Corrupted:
        """The encoder's input made from ``batch``, which must not be changed in place.

        Draw from ``streams`` only; a stream named as another objective's ("mask") gives the
        same numbers, which is how objectives share masks.
        """

    def extra_flops(self, batch: int, length: int) -> float:
        """Training FLOPs of one batch that torch's counter cannot see, terms included.

        In expectation, where modes differ in them.
        """
        return sum(term.extra_flops(batch, length) for term in self.terms)
