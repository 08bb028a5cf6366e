"""Terms that read what an objective hides from its encoder are refused, the others are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import pytest
import torch

from objbench.contract.batch import Batch
from objbench.contract.composition import Composition, configured
from objbench.contract.objective import AddedTerm
from objbench.contract.term import TermLoss
from objbench.engine.training import unread_tokens
from objbench.engine.training.stand_in import stand_in
from objbench.engine.training.unread_tokens import require_hidden_unread
from objbench.errors import ConfigError
from objbench.plugins.loading import load_plugins
from objbench_objectives.mae import MaskedAutoencoder

REGISTRY = load_plugins()
READS = "its term '{}' reads tokens that 'mae' hides from the encoder"
NOTHING_LEFT = "all that its term '{}' compares is hidden from the encoder by 'mae'"


def require(tiny, kind, options=None, section=None):
    config = configured(kind, options or {})
    section = section or tiny.encoder_section()
    made = stand_in(section, kind, config, tiny.VOCABULARY, tiny.LENGTH)
    assert made is not None
    require_hidden_unread(made)


@pytest.fixture
def tried_out(monkeypatch):
    """Nothing is accepted because it could not be tried."""
    plain, done = unread_tokens._fault, []

    def fault(*given):
        found = plain(*given)
        done.append(found)
        return found

    monkeypatch.setattr(unread_tokens, "_fault", fault)
    yield
    assert done


@pytest.mark.parametrize("rate", [0.15, 0.4])
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mae+tc", {}, READS.format("tc")),
        ("mae+tc", {"tc": {"sampling": "all"}}, READS.format("tc")),
        ("mae+tc", {"tc": {"anchors": "unmasked", "negatives": 1}}, READS.format("tc")),
        ("mae+tc", {"tc": {"anchors": "masked"}}, NOTHING_LEFT.format("tc")),
        ("mae+simcse", {"simcse": {"view": "crop"}}, READS.format("simcse")),
        ("mae+nsp+simcse", {"simcse": {"view": "crop", "keep": 0.5}}, READS.format("simcse")),
    ],
)
def test_a_term_that_takes_the_first_tokens_for_the_real_ones_is_refused(
    tiny, name, options, message, rate
):
    with pytest.raises(ConfigError, match=message) as refused:
        require(tiny, REGISTRY.objective(name), {"mae": {"rate": rate}, **options})
    assert str(refused.value).startswith(f"{name} ") and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mae", {}),
        ("mae+nsp", {}),
        ("mae+sop+simcse", {}),
        ("mae+simcse", {"simcse": {"pooling": "mean"}}),
        ("taco", {}),
        ("mlm+tc", {"tc": {"anchors": "masked"}}),
        ("mlm+simcse", {"simcse": {"view": "crop"}}),
        ("rtd+tc", {}),
        ("tacl+tc", {}),
        ("hybrid+nsp+simcse", {}),
    ],
)
def test_what_reads_no_hidden_token_may_join(tiny, tried_out, name, options):
    require(tiny, REGISTRY.objective(name), options)


@pytest.mark.parametrize("family", ["convbert", "fnet"])
def test_an_encoder_that_reads_them_itself_is_no_fault_of_a_term(tiny, tried_out, family):
    """It mixes neighbours by other means than attention, whatever joins."""
    heads = {} if family == "fnet" else {"num_attention_heads": 2, "embedding_size": 16}
    size = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 32, **heads}
    section = tiny.encoder_section().model_copy(update={"model_type": family, "config": size})
    require(tiny, REGISTRY.objective("mae+sop"), section=section)
    with pytest.raises(ConfigError, match=READS.format("tc")):
        require(tiny, REGISTRY.objective("mae+tc"), section=section)


class Planted(AddedTerm):
    """The mean square of the states of the real tokens; subclasses have one fault each."""

    name = "planted"
    summary = "small states"
    reference = "none"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        weight: float = 1.0

    def chosen(self, batch):
        """(B, T) bool, the tokens that are taken."""
        return batch.real

    def forward(self, encoder_pass, streams):
        chosen = self.chosen(encoder_pass.batch)
        losses = encoder_pass.last_hidden_state.square().mean(dim=-1) * chosen
        return TermLoss(losses.sum(), chosen.sum().float())


class Prefix(Planted):
    def chosen(self, batch):
        columns = torch.arange(batch.input_ids.shape[1])
        return columns < batch.real.sum(dim=1, keepdim=True)


class Ids(Planted):
    """Weights by the ids of all tokens, of which some are hidden."""

    def forward(self, encoder_pass, streams):
        loss = super().forward(encoder_pass, streams)
        return TermLoss(loss.total * encoder_pass.batch.input_ids.float().mean(), loss.count)


class Nothing(Planted):
    def chosen(self, batch):
        return batch.real & batch.predicted


class Counting(Planted):
    """Right, with a buffer that every pass changes."""

    def __init__(self, config, encoder_spec, joined):
        super().__init__(config, encoder_spec, joined)
        self.register_buffer("passes", torch.ones(()))

    def forward(self, encoder_pass, streams):
        loss = super().forward(encoder_pass, streams)
        self.passes.add_(1)
        return TermLoss(loss.total * self.passes, loss.count)


class Seeing(Planted):
    """Asks for a further input that has [MASK] in it, to be read."""

    def view(self, batch, corrupted, streams):
        return Batch(corrupted.input_ids, corrupted.special, None, corrupted.rows)


class Clean(Planted):
    """Asks for the text as it was."""

    def view(self, batch, corrupted, streams):
        return batch


class Broken(Planted):
    def forward(self, encoder_pass, streams):
        raise RuntimeError("planted")


@pytest.mark.parametrize(
    ("term", "message"),
    [(Prefix, READS), (Ids, READS), (Seeing, READS), (Nothing, NOTHING_LEFT)],
)
def test_a_foreign_term_is_judged_by_what_it_computes(tiny, term, message):
    with pytest.raises(ConfigError, match=message.format("planted")):
        require(tiny, Composition(MaskedAutoencoder, (term,)))
    require(tiny, Composition(tiny.TinyMlm, (term,)))


@pytest.mark.parametrize("term", [Planted, Counting, Clean])
def test_a_foreign_term_that_keeps_to_the_mask_may_join(tiny, tried_out, term):
    require(tiny, Composition(MaskedAutoencoder, (term,)))


def test_what_cannot_be_tried_is_left_to_the_training(tiny):
    require(tiny, Composition(MaskedAutoencoder, (Broken,)))


def test_an_objective_that_hides_in_one_of_its_modes_is_tried_in_each(tiny):
    class Sometimes(tiny.TinyMlm):
        name = "mae"
        modes = MappingProxyType({"open": 0.999, "hiding": 0.001})

        def corrupt(self, batch, streams):
            made = super().corrupt(batch, streams)
            if self.mode_of(batch, streams) == "open":
                return made
            return replace(made, attention=~made.predicted)

    with pytest.raises(ConfigError, match=READS.format("planted")):
        require(tiny, Composition(Sometimes, (Prefix,)))
    require(tiny, Composition(Sometimes, (Planted,)))


def test_the_global_generator_is_left_alone(tiny):
    state = torch.get_rng_state()
    require(tiny, REGISTRY.objective("mae+nsp"))
    assert torch.equal(torch.get_rng_state(), state)
