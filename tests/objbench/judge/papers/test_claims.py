"""Claim files: what ships says what the papers say, and a bad file is one line with its field."""

import pytest

from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.papers.claims import parse_claims, read_claims, shipped_claims

GOOD = """
summary = "an objective"
objective = "new"
baseline = "mlm"

[source]
paper = "Nobody 2020"
url = "https://example.org"

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
    gain, speedup = file.claims
    assert (gain.kind, gain.axis) == ("gain", "flops")
    assert gain.value == pytest.approx(79.9 - 75.1)
    assert (speedup.kind, speedup.axis, speedup.value) == ("speedup", "flops", 4.0)
    # What the table has is more than what the abstract claims.
    assert speedup.value < 3.2e21 / 7.1e20
    assert file.scale_of(gain).tokens_seen == 128 * 128 * 1_500_000
    assert file.scale_of(speedup).parameters == 356_000_000


def test_every_shipped_file_names_a_source_for_every_number():
    files = shipped_claims()
    assert [file.name for file in files] == ["electra-2020", "taco-2022"]
    for file in files:
        assert "arxiv.org" in file.source.url
        assert all(claim.where and claim.wording for claim in file.claims)


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


def test_an_unknown_name_is_guessed():
    with pytest.raises(UnknownNameError, match=r"did you mean 'taco-2022'\?.*ending in .toml"):
        read_claims("taco-2021")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read"):
        read_claims(str(tmp_path / "gone.toml"))
