"""When a rate is off: by how much, beyond chance, and what is then said or refused."""

import pytest

from objbench.errors import ConfigError
from objbench.results.realised_rate import RealisedRate, require_declared


def rate(predicted, tokens=10_000, declared=0.15):
    return RealisedRate(declared=declared, predicted=predicted, tokens=tokens)


@pytest.mark.parametrize(
    ("predicted", "said", "refused"),
    [
        (0.15, False, False),
        (0.16, False, False),
        (0.166, True, False),
        (0.134, True, False),
        (0.08, True, False),
        (0.07, True, True),
        (0.0006, True, True),
        (0.23, True, True),
    ],
)
def test_a_tenth_is_said_and_a_half_refused(predicted, said, refused):
    found = rate(predicted)
    assert found.is_said == said
    if refused:
        with pytest.raises(
            ConfigError, match=r"^wwm predicts .* not the declared 15%: use "
        ) as error:
            require_declared("wwm", found)
        assert "\n" not in str(error.value)
    else:
        require_declared("wwm", found)


def test_what_may_be_chance_is_not_off():
    # 4 sqrt(0.85 / (0.15 * 100)) = 0.95: a hundred coins say nothing of a tenth.
    assert rate(0.18, tokens=100).off == 0
    assert rate(0.18, tokens=100_000).off == pytest.approx(0.2)


def test_nothing_declared_is_nothing_refused():
    require_declared("clm", None)


def test_the_words_have_two_digits():
    assert rate(0.00061).words == "0.061% of the tokens of this text and not the declared 15%"
