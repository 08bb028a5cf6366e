"""Claim files: what ships says what the papers say, and a bad file is one line with its field."""

import re

import pytest

from objbench.contract.composition import configured
from objbench.errors import ConfigError, UnknownNameError, one_line
from objbench.judge.papers.claims import READ_WORDS, parse_claims, read_claims, shipped_claims
from objbench.judge.papers.published_files import CLAIMS, published
from objbench.plugins.loading import load_plugins

GOOD = """
summary = "an objective"
objective = "new"
baseline = "mlm"

[source]
paper = "Nobody 2020"
url = "https://example.org"
read = "paper"
measured = "nobody"

[scale]
parameters = 1_000
steps = 10
sequences = 4
length = 8

[score]
suite = "glue"
protocol = "default"
average = "mean of eight tasks"

[[claims]]
id = "speedup"
kind = "speedup"
axis = "flops"
value = 2
where = "table 1"
wording = "twice as fast"

[[claims]]
id = "gain"
kind = "gain"
axis = "steps"
value = 0.5
qualifier = "up to"
where = "table 2"
wording = "half a point"

[claims.scale]
parameters = 2_000
steps = 20
tokens = 777
"""


def parsed(text):
    return parse_claims(text, "new-2020", "claim file new-2020")


def test_a_claim_file_is_read():
    file = parsed(GOOD)
    assert (file.name, file.objective, file.baseline) == ("new-2020", "new", "mlm")
    speedup, gain = file.claims
    assert (speedup.axis, speedup.value, speedup.qualifier) == ("flops", 2.0, "")
    assert (gain.kind, gain.value, gain.qualifier) == ("gain", 0.5, "up to")
    assert file.scale_of(speedup).tokens_seen == 4 * 8 * 10
    assert file.scale_of(gain).tokens_seen == 777


def test_tacos_claims_are_those_of_its_abstract():
    file = read_claims("taco-2022")
    assert (file.objective, file.baseline, file.score.suite) == ("taco", "mlm", "glue")
    found = {c.id: (c.kind, c.axis, c.value, c.qualifier) for c in file.claims}
    assert found == {
        "speedup": ("speedup", "steps", 5.0, "up to"),
        "gain": ("gain", "steps", 1.2, "up to"),
    }
    # 4 layers of width 512: embeddings of 30,522 pieces, 512 positions, 2 types and a layer norm;
    # a layer has 12 h^2 weights and 13 h biases and norms.
    width, layers = 512, 4
    embeddings = (30_522 + 512 + 2 + 2) * width
    assert file.scale.parameters == embeddings + layers * (12 * width**2 + 13 * width)
    assert file.scale.tokens_seen == 131_072_000_000


def test_electras_claims_are_those_of_its_tables():
    file = read_claims("electra-2020")
    gain, base, speedup = file.claims
    assert (gain.kind, gain.axis) == ("gain", "flops")
    assert gain.value == pytest.approx(79.9 - 75.1)
    assert base.value == pytest.approx(85.1 - 82.2)
    assert (speedup.kind, speedup.axis, speedup.value) == ("speedup", "flops", 4.0)
    # What the table has is more than what the abstract claims.
    assert speedup.value < 3.2e21 / 7.1e20
    assert file.scale_of(gain).tokens_seen == 128 * 128 * 1_500_000
    assert file.scale_of(speedup).parameters == 356_000_000


SHIPPED = [(file, claim) for file in shipped_claims() for claim in file.claims]
NAMED = [pytest.param(file, claim, id=f"{file.name} {claim.id}") for file, claim in SHIPPED]


def test_there_are_claims_of_the_fields_headlines():
    assert len(SHIPPED) >= 20
    assert len({file.source.url for file, _ in SHIPPED}) >= 10
    names = [f"{file.name} {claim.id}" for file, claim in SHIPPED]
    assert len(set(names)) == len(names)
    # The same question is asked once: two files that agree on all of this would be one claim twice.
    asked = [(f.sides, c.kind, c.axis, f.score_of(c), f.scale_of(c), f.source) for f, c in SHIPPED]
    assert all(asked.count(one) == 1 for one in asked)


@pytest.mark.parametrize(("file", "claim"), NAMED)
def test_every_shipped_number_was_read_somewhere_and_says_where(file, claim):
    assert file.source.url.startswith(("https://arxiv.org/abs/", "https://github.com/"))
    assert file.source.measured
    assert file.read_of(claim) in READ_WORDS
    where = claim.where.lower()
    # Of an abstract the number is in the wording; elsewhere the place is named, with both sides.
    if file.read_of(claim) == "abstract":
        assert "abstract" in where
    else:
        assert any(place in where for place in ("table", "figure", "section", "model list"))
        numbers = [float(n) for n in re.findall(r"(?<![\w.:])\d+\.\d+(?![\w.]*e)", where)]
        if claim.kind == "gain" and " against " in where:
            differences = [round(a - b, 2) for a in numbers for b in numbers]
            assert claim.value in differences


@pytest.mark.parametrize(("file", "claim"), NAMED)
def test_every_shipped_claim_is_about_objectives_and_options_that_there_are(file, claim):
    registry = load_plugins()
    sides = ((file.objective, file.objective_options), (file.baseline, file.baseline_options))
    for name, options in sides:
        kind = registry.objective(name)
        assert isinstance(options, dict)
        assert configured(kind, options if "+" in name else {name: options.get(name, {})})
    assert claim.runs is None or claim.runs >= 1


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert read_claims(str(path)).name == "mine"
    path.write_text(path.read_text("utf-8"), encoding="utf-8-sig")  # as Windows does
    assert read_claims(str(path)).name == "mine"


PLATEAU = """
[[claims]]
id = "reliability"
kind = "leaves-plateau"
where = "section 5"
wording = "trains reliably"
"""


def test_a_claim_that_more_runs_learn_has_no_axis_and_no_value():
    claim = parsed(GOOD + PLATEAU).claims[-1]
    assert (claim.kind, claim.axis, claim.value, claim.axis_words) == (
        "leaves-plateau",
        None,
        0,
        "",
    )
    assert parsed(GOOD + PLATEAU + "value = 0\n").claims[-1].value == 0
    for line in ('axis = "steps"', "value = 1", 'qualifier = "up to"'):
        with pytest.raises(ConfigError) as error:
            parsed(GOOD + PLATEAU + line)
        assert str(error.value) == (
            "claim file new-2020: claims.2: leaves-plateau has no axis, no value and no qualifier"
        )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value = 2\n", 'value = "2"\n', "claims.0.value = '2': Input should be a valid number"),
        ("value = 2\n", "value = inf\n", "claims.0.value = inf"),
        ("value = 2\n", "value = 1.0\n", "claims.0: a speedup is larger than 1"),
        ("value = 0.5\n", "value = -0.5\n", "claims.1.value = -0.5: Input should be greater"),
        ("value = 2\n", "", "claims.0: a speedup needs an axis and a value above 0"),
        ("value = 0.5\n", "value = 0\n", "claims.1: a gain needs an axis and a value above 0"),
        ('axis = "steps"\n', "", "claims.1: a gain needs an axis and a value above 0"),
        ('axis = "flops"', 'axis = "flop"', "claims.0.axis = 'flop': Input should be 'steps'"),
        ('kind = "gain"', 'kind = "again"', "claims.1.kind = 'again'"),
        ('qualifier = "up to"', 'qualifier = "about"', "claims.1.qualifier = 'about'"),
        ('id = "gain"', 'id = "speedup"', "two claims have the same id"),
        ('objective = "new"', 'objective = "mlm"', "objective and baseline are the same"),
        ("parameters = 1_000", "parameters = 0", "scale.parameters = 0"),
        ("parameters = 1_000", "parameters = true", "scale.parameters = True"),
        ("length = 8\n", "", "scale: give either tokens, or sequences and length"),
        ("tokens = 777", "tokens = 777\nsequences = 1\nlength = 1", "claims.1.scale: give either"),
        ('read = "paper"', 'read = "somewhere"', "source.read = 'somewhere': Input should be 'pap"),
        ('read = "paper"\n', "", "source.read is missing"),
        ('measured = "nobody"\n', "", "source.measured is missing"),
        ("value = 2\n", "value = 2\nruns = 0\n", "claims.0.runs = 0"),
        ("value = 2\n", "value = 2\nruns = 1.5\n", "claims.0.runs = 1.5"),
        ("value = 2\n", 'value = 2\nread = "hearsay"\n', "claims.0.read = 'hearsay'"),
        ("value = 2\n", 'value = 2\nunequal = "so"\n', "claims.0: unequal says why a gain has"),
        ("value = 0.5\n", 'value = 0.5\nunequal = "so"\n', "claims.1: unequal says why a gain"),
        (
            "[source]",
            "[objective_options.mlm]\nrate = 0.4\n[source]",
            "options of mlm, which is no",
        ),
        ("[source]", "[objective_options.new]\nrate = nan\n[source]", "objective_options.new.rate"),
        ("[source]", "[objective_options.new]\nrate = []\n[source]", "objective_options.new.rate"),
        ("[source]", "[objective_options]\nnew = 1\n[source]", "objective_options.new = 1"),
        ("[source]", "[objective_options.new]\nday = 2020-01-01\n[source]", "new.day"),
        ('url = "https://example.org"', 'url = "example"', "source.url = 'example'"),
        ('where = "table 1"', 'where = ""', "claims.0.where = ''"),
        ('where = "table 1"\n', "", "claims.0.where is missing"),
        ("[score]", "[scores]", "score is missing; scores: unknown field"),
        ('summary = "an objective"', 'summry = "x"', "summary is missing; summry: unknown field"),
        ("[source]", "[source", "is not TOML"),
    ],
)
def test_a_bad_file_is_one_line_with_the_field(old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        parsed(GOOD.replace(old, new, 1))
    assert str(error.value).startswith("claim file new-2020")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_sides_may_differ_in_their_options_alone():
    same = GOOD.replace('objective = "new"', 'objective = "mlm"')
    with_options = "[objective_options.mlm]\nrate = 0.4\n\n[source]"
    file = parsed(same.replace("[source]", with_options, 1))
    assert file.sides == "mlm (rate 0.4) against mlm"
    with pytest.raises(ConfigError, match="objective and baseline are the same"):
        parsed(same.replace("[source]", "[objective_options]\n[baseline_options]\n[source]", 1))


def test_a_claim_may_have_a_score_and_a_reading_of_its_own():
    own = 'read = "abstract"\n\n[claims.score]\nsuite = "mnli"\nprotocol = "p"\naverage = "a"\n'
    file = parsed(GOOD.replace('wording = "twice as fast"\n', f'wording = "twice"\n{own}'))
    speedup, gain = file.claims
    assert (file.score_of(speedup).suite, file.score_of(gain).suite) == ("mnli", "glue")
    assert (file.read_of(speedup), file.read_of(gain)) == ("abstract", "paper")


def test_a_gain_at_unequal_spend_has_no_axis():
    text = GOOD.replace('axis = "steps"\nvalue = 0.5', 'unequal = "longer"\nvalue = 0.5')
    assert parsed(text).claims[1].axis is None
    speedup = GOOD.replace('axis = "flops"\nvalue = 2', 'unequal = "longer"\nvalue = 2')
    with pytest.raises(ConfigError, match=r"claims\.0: unequal says why a gain has no axis"):
        parsed(speedup)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000,
        GOOD.replace("twice as fast", "a\x00b"),
        GOOD + '"\\u001b[31m" = 1\n',
        GOOD.replace("parameters = 1_000", "parameters = 1" + "0" * 5000, 1),
        GOOD.replace('read = "paper"', 'read = "a\\u001b[31m\\nb"', 1),
        GOOD.replace("value = 2\n", "value = 1e999\n", 1),
        GOOD.replace('objective = "new"', 'objective = "new"\n"new\\n+x" = 1', 1),
    ],
    ids=["nested", "nul", "field", "digits", "value", "infinite", "name"],
)
def test_a_hostile_file_is_one_line(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        read_claims(str(path))
    assert "\n" not in one_line(error.value) and "\x1b" not in one_line(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_page_beside_the_claims_is_no_claim():
    assert "README" not in published(CLAIMS, ".toml")
    with pytest.raises(UnknownNameError):
        read_claims("README")


def test_an_unknown_name_is_guessed():
    with pytest.raises(UnknownNameError, match=r"did you mean 'taco-2022'\?.*ending in .toml"):
        read_claims("taco-2021")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read"):
        read_claims(str(tmp_path / "gone.toml"))
