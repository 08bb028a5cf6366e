"""Compositions: the base's numbers and the term's, names, options, and what is refused."""

import pickle
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint

import pytest
import torch

from objbench.cli.arguments import assignment, options_of
from objbench.cli.chosen_study import every_objective
from objbench.contract.composition import (
    ComposedConfig,
    Composition,
    configured,
    parts_of,
    recorded_options,
    unlabelled,
)
from objbench.contract.objective import AddedTerm
from objbench.contract.random_streams import Streams
from objbench.contract.term import TermLoss
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.step import TrainingStep
from objbench.errors import ConfigError, UnknownNameError, WrongKindError
from objbench.plugins.loading import load_plugins
from objbench.plugins.source_digest import source_digest
from objbench_objectives.mlm import MaskedLanguageModeling as Mlm
from objbench_objectives.rtd import ReplacedTokenDetection as Rtd


class Norm(AddedTerm):
    """The mean square of the hidden states, shifted by a number that it draws."""

    name = "norm"
    summary = "small states"
    reference = "none"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        weight: float = 0.5
        shift: float = 0.0

    def __init__(self, config, encoder_spec, joined):
        super().__init__(config, encoder_spec, joined)
        self.scale = torch.nn.Linear(encoder_spec.width, encoder_spec.width)
        self.slots = joined.slots(16)

    def forward(self, encoder_pass, streams):
        states = encoder_pass.last_hidden_state.float()
        lot = streams.uniform("norm.lot", 1)
        losses = states.square().mean(dim=(1, 2)) + self.config.shift * lot.squeeze(1)
        return TermLoss(losses.sum(), torch.tensor(float(len(losses))))


def build(tiny, kind, **options):
    encoder = build_encoder(tiny.encoder_section(), tiny.VOCABULARY, tiny.LENGTH, seed=0)
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    config = configured(kind, options)
    return TrainingStep(encoder, build_objective(kind, config, encoder_spec, seed=0)).eval()


@pytest.mark.parametrize("base", [Mlm, Rtd])
def test_the_base_computes_what_it_computes_alone(tiny, batch_of, base):
    alone, joined = build(tiny, base), build(tiny, Composition(base, (Norm,)))
    names = [term.name for term in joined.objective.terms]
    assert names == [*(term.name for term in alone.objective.terms), "norm"]
    batch = batch_of()
    one, _ = alone(batch, Streams(3, 1, rows=len(batch.input_ids)))
    both, counts = joined(batch, Streams(3, 1, rows=len(batch.input_ids)))
    assert torch.equal(both[:-1], one)
    assert counts[-1] == len(batch.input_ids)
    assert joined.objective.terms[-1].weight == 0.5


def test_options_of_the_composition_win_over_those_of_its_parts():
    kind = Composition(Mlm, (Norm,))
    given = [
        assignment(text)
        for text in ("mlm.rate=0.3", "norm.weight=2", "norm.shift=1", "mlm+norm.norm.weight=4")
    ]
    config = configured(kind, options_of(given))
    assert config.parts["mlm"].rate == 0.3
    assert config.parts["norm"] == Norm.Config(weight=4.0, shift=1.0)
    assert recorded_options(config)["norm.weight"] == 4.0
    assert recorded_options(config)["mlm.rate"] == 0.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mlm+norm.nrom.weight=1", "unknown part 'nrom' of mlm\\+norm; did you mean 'norm'"),
        ("mlm+norm.weight=1", "unknown part 'weight' of mlm\\+norm"),
        ("mlm+norm.norm=1", "name the option too, mlm\\+norm.norm.OPTION"),
        ("mlm+norm.norm.wieght=1", "unknown option 'wieght' of norm; did you mean 'weight'"),
        ("norm.weight=heavy", "norm.weight = 'heavy' does not fit"),
    ],
)
def test_options_that_do_not_fit_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        configured(Composition(Mlm, (Norm,)), options_of([assignment(text)]))


def test_an_option_cannot_be_a_value_and_a_table():
    given = [assignment("mlm+norm.norm=1"), assignment("mlm+norm.norm.weight=1")]
    with pytest.raises(ConfigError, match="has a value"):
        options_of(given)


def test_a_term_that_the_base_has_already_is_refused(tiny):
    class Same(Norm):
        name = "mlm"

    with pytest.raises(ConfigError, match=r"mlm already has a term 'mlm'; leave \+mlm out"):
        build(tiny, Composition(Mlm, (Same,)))


def test_it_survives_pickling_and_has_the_sources_of_all_parts():
    kind = Composition(Mlm, (Norm,))
    assert pickle.loads(pickle.dumps(kind)) == kind
    assert kind.name == "mlm+norm"
    assert source_digest(Composition(Mlm, ())) == source_digest(Mlm)
    assert source_digest(kind) != source_digest(Mlm)


def test_a_config_is_compared_by_what_it_holds():
    one = ComposedConfig({"norm": Norm.Config()})
    assert one == ComposedConfig({"norm": Norm.Config()})
    assert one != replace(one, parts={"norm": Norm.Config(weight=1.0)})


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """mlm and a foreign project's term ``closer``."""
    (tmp_path / "closer_term.py").write_text(
        "from dataclasses import dataclass\n"
        "from objbench import AddedTerm, hookimpl\n\n"
        "class Closer(AddedTerm):\n"
        "    name, summary, reference = 'closer', 'a term', 'none'\n\n"
        "    @dataclass(frozen=True, kw_only=True)\n"
        "    class Config:\n"
        "        weight: float = 1.0\n\n"
        "    def forward(self, encoder_pass, streams): ...\n\n"
        "@hookimpl\n"
        "def register_terms(register):\n"
        "    register(Closer)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entries = [
        EntryPoint("closer", "closer_term", "objbench"),
        EntryPoint("mlm", "objbench_objectives.mlm", "objbench"),
        EntryPoint("rtd", "objbench_objectives.rtd", "objbench"),
        EntryPoint("toy", "objbench_suites.toy", "objbench"),
    ]
    return load_plugins(entries)


def test_names_are_composed_by_the_registry(registry):
    assert registry.broken == ()
    kind = registry.objective("rtd+closer")
    assert isinstance(kind, Composition) and kind.name == "rtd+closer"
    assert registry.origin("rtd+closer").project == "unknown"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mlm+closr", UnknownNameError, "unknown term 'closr'; did you mean 'closer'"),
        ("closer", WrongKindError, "add it to one, as in OBJECTIVE\\+closer"),
        ("mlm+rtd", WrongKindError, "name it first, as in rtd\\+TERM"),
        ("mlm+toy", WrongKindError, "'toy' is a suite, not a term"),
        ("mlm+closer+closer", ConfigError, "names a term twice"),
    ],
)
def test_names_that_make_no_objective_are_refused(registry, name, error, message):
    with pytest.raises(error, match=message):
        registry.objective(name)


def test_a_term_without_a_weight_is_a_broken_plugin(tmp_path, monkeypatch):
    (tmp_path / "weightless.py").write_text(
        "from dataclasses import dataclass\n"
        "from objbench import AddedTerm, hookimpl\n\n"
        "class Weightless(AddedTerm):\n"
        "    name, summary, reference = 'weightless', 'a term', 'none'\n\n"
        "    @dataclass(frozen=True, kw_only=True)\n"
        "    class Config:\n"
        "        size: float = 1.0\n\n"
        "    def forward(self, encoder_pass, streams): ...\n\n"
        "@hookimpl\n"
        "def register_terms(register):\n"
        "    register(Weightless)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (broken,) = load_plugins([EntryPoint("weightless", "weightless", "objbench")]).broken
    assert broken.reason == "Weightless has no option weight"


def test_all_is_every_objective_and_the_baseline_with_every_term(registry):
    assert every_objective(("all",), registry) == ("mlm", "rtd", "mlm+closer")
    assert every_objective(("rtd", "all"), registry) == ("rtd", "mlm", "rtd+closer")


def test_a_composed_baseline_is_joined_by_the_terms_that_it_lacks(registry):
    further = replace(registry, terms={**registry.terms, "farther": registry.terms["closer"]})
    assert every_objective(("mlm+closer", "all"), further) == (
        "mlm+closer",
        "mlm",
        "rtd",
        "mlm+closer+farther",
    )


def test_all_without_a_baseline_says_how_to_name_one(registry):
    with pytest.raises(ConfigError, match="--objectives NAME,all"):
        every_objective(("all",), replace(registry, objectives={"rtd": Rtd}))


def test_a_label_is_a_further_name_with_options_of_its_own(registry):
    kind = registry.objective("mlm@40")
    assert isinstance(kind, Composition)
    assert (kind.name, kind.base, kind.added) == ("mlm@40", Mlm, ())
    assert registry.objective("rtd+closer@a_b-1").name == "rtd+closer@a_b-1"
    assert parts_of("rtd+closer@a_b-1") == ("rtd", "closer")
    assert (unlabelled("mlm@40"), unlabelled("mlm")) == ("mlm", "mlm")
    assert registry.origin("mlm@40") == registry.origin("mlm")
    given = options_of([assignment("mlm.mask_share=0.5"), assignment("mlm@40.mlm.rate=0.4")])
    config = configured(kind, given)
    assert (config.parts["mlm"].rate, config.parts["mlm"].mask_share) == (0.4, 0.5)
    assert recorded_options(config)["mlm.rate"] == 0.4
    # The label's options are its own.
    assert configured(registry.objective("mlm"), given).rate == 0.15
    assert configured(registry.objective("mlm@15"), given).parts["mlm"].rate == 0.15
    assert pickle.loads(pickle.dumps(kind)) == kind != registry.objective("mlm@15")


def test_a_labelled_objective_computes_what_the_plain_one_does(tiny, batch_of):
    plain = build(tiny, Mlm, mlm={"rate": 0.4})
    labelled = build(tiny, Composition(Mlm, (), "40"), **{"mlm@40": {"mlm": {"rate": 0.4}}})
    weights = labelled.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in plain.state_dict().items())
    batch = batch_of()
    one, other = (
        step(batch, Streams(3, 1, rows=len(batch.input_ids))) for step in (plain, labelled)
    )
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


@pytest.mark.parametrize(
    "name", ["mlm@", "mlm@a.b", "mlm@a@b", "mlm@a+closer", "mlm@-a", "mlm@a b"]
)
def test_what_is_no_label_is_refused(registry, name):
    with pytest.raises(ConfigError, match=r"a label is @ and letters, digits, - and _, as in mlm@"):
        registry.objective(name)


def test_a_label_is_of_an_objective_that_there_is(registry):
    with pytest.raises(UnknownNameError, match="unknown objective 'mlmm'; did you mean 'mlm'"):
        registry.objective("mlmm@40")
    with pytest.raises(ConfigError, match="unknown part 'rate' of mlm@40"):
        configured(registry.objective("mlm@40"), {"mlm@40": {"rate": 0.4}})
    with pytest.raises(ConfigError, match="as in --objectives mlm,mlm@40,all"):
        every_objective(("mlm@40", "all"), registry)
    assert every_objective(("mlm", "mlm@40", "all"), registry)[:2] == ("mlm", "mlm@40")
