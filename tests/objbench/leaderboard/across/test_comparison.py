"""Several studies compared: each rung as its own page has it, trends that are there, and none that are not."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from objbench.errors import ConfigError
from objbench.judge.statistics.estimate import estimate
from objbench.judge.statistics.multiple_tests import holm
from objbench.judge.statistics.trend import trend
from objbench.leaderboard.across.change_words import trend_sentences
from objbench.leaderboard.across.comparison import compare
from objbench.leaderboard.across.sentences import headline
from objbench.leaderboard.across.studies import read_studies, studies
from objbench.results.records import PretrainRecord

BITS = 1 / (math.log(2) * 4.2)
COMMON, GLUE = 0, 1


def losses(study, objective):
    """The final common losses of an objective's runs, by seed."""
    return np.array(
        [
            record.points[-1].common.loss
            for record in study.records.values()
            if isinstance(record, PretrainRecord)
            and (record.kind, record.objective) == ("pretrain", objective)
        ]
    )


def series(found, score=COMMON):
    (pair,) = found.pairs
    return {own.name: own for own in pair.scores[score].series}


def effects(found, score=COMMON):
    return {
        (name, own.effect): own for name, one in series(found, score).items() for own in one.trends
    }


def test_a_rung_is_what_the_study_shows(at_scale, compared):
    small, large = at_scale(1, gain=0.2), at_scale(4, gain=0.4)
    found = compared(small=small, large=large)
    assert [pair.pair.objective for pair in found.pairs] == ["taco"]
    assert [score.source for score in found.pairs[0].scores][:2] == ["heldout:common", "glue"]
    rungs = series(found)["modernbert"].rungs
    assert [rung.study for rung in rungs] == ["small", "large"]
    assert [rung.scale.parameters for rung in rungs] == [1_000_000, 4_000_000]
    assert rungs[1].flops == pytest.approx(4 * rungs[0].flops)
    for study, rung in zip((small, large), rungs, strict=True):
        wanted = estimate((losses(study, "mlm") - losses(study, "taco")) * BITS)
        assert (rung.gain.mean, rung.gain.half_width) == pytest.approx(
            (wanted.mean, wanted.half_width)
        )
        assert rung.base.estimate.value == pytest.approx(losses(study, "mlm").mean() * BITS)
        assert [own.share for own in rung.learnt] == ["5 of 5", "5 of 5"]
        assert rung.pairs == 5
    own = {study.name: study.report for study in found.studies}
    for rung in rungs:
        curve = next(c for c in own[rung.study].curves if c.source.name == "heldout:common")
        assert rung.speedup == curve.speedups["taco"].headline["flops"]
    # Points of glue: of a suite the ranking's own gain.
    for rung in series(found, GLUE)["modernbert"].rungs:
        row = next(r for r in own[rung.study].suites[0].rows if r.objective == "taco")
        assert rung.gain == row.gain


def test_a_trend_is_a_line_through_the_studies_own_estimates(at_scale, compared):
    made = {"a": at_scale(1, gain=0.1), "b": at_scale(4, gain=0.3), "c": at_scale(16, gain=0.5)}
    found = compared(**made)
    own = effects(found)["modernbert", "gain"]
    gains = [(losses(s, "mlm") - losses(s, "taco")) * BITS for s in made.values()]
    rungs = series(found)["modernbert"].rungs
    wanted = trend(
        np.log10([rung.flops for rung in rungs]),
        np.array([gain.mean() for gain in gains]),
        np.array([gain.std(ddof=1) / math.sqrt(5) for gain in gains]),
        np.full(3, 4.0),
    )
    assert own.found.value == pytest.approx(wanted.value)
    assert (own.found.low, own.found.p_value) == pytest.approx((wanted.low, wanted.p_value))
    assert own.rungs == 3 and own.is_significant
    said = trend_sentences(found.pairs[0].scores[COMMON])[0]
    assert "the gain rises with scale (+0.1" in said
    assert "bits per character for ten times the FLOPs" in said
    # What is the same at every scale has no trend, and glue's is.
    flat = effects(found, GLUE)["modernbert", "gain"]
    assert not flat.is_significant and flat.found.low < 0 < flat.found.high
    assert "no trend of the gain with scale can be seen" in " ".join(
        trend_sentences(found.pairs[0].scores[GLUE])
    )


def test_a_falling_gain_and_its_speedup(at_scale, compared):
    found = compared(
        **{
            name: at_scale(size, gain=g)
            for name, size, g in zip("abc", (1, 4, 16), (2.0, 1.0, 0.3), strict=True)
        }
    )
    own = effects(found)
    assert own["modernbert", "gain"].found.high < 0
    speedups = [math.log(rung.speedup.estimate.value) for rung in series(found)["modernbert"].rungs]
    assert own["modernbert", "speedup"].found.value == pytest.approx(
        np.polyfit(np.log10([1, 4, 16]), speedups, 1)[0]
    )
    assert "the gain falls with scale" in trend_sentences(found.pairs[0].scores[COMMON])[0]


def test_all_trends_of_the_page_are_tested_at_once(at_scale, compared):
    sizes = {"a": 1, "b": 4, "c": 16}
    found = compared(
        **{name: at_scale(size, gain=0.2 + 0.02 * size) for name, size in sizes.items()}
    )
    tested = found.tested
    assert len(tested) > 3
    adjusted = holm(np.array([own.found.p_value for own in tested]))
    assert [own.is_significant for own in tested] == (adjusted <= 0.05).tolist()


def test_two_scales_are_no_trend_nor_are_three_studies_of_two(at_scale, compared):
    two = compared(a=at_scale(1), b=at_scale(4))
    assert all(own.found is None for own in effects(two).values())
    assert "2 scales are too few for a trend (3 are needed)" in headline(two)
    # 1.00 and 1.05 million parameters are one scale.
    again = compared(a=at_scale(1), b=at_scale(1.05), c=at_scale(4))
    assert {own.rungs for own in effects(again).values()} == {2}
    assert again.tested == ()


def test_each_recipe_is_a_series_of_its_own(at_scale, compared):
    found = compared(
        a=at_scale(1, "bert"), b=at_scale(4, "bert"), c=at_scale(1.01), d=at_scale(4.01)
    )
    assert list(series(found)) == ["bert", "modernbert"]
    assert [rung.study for rung in series(found)["bert"].rungs] == ["a", "b"]
    assert not found.has_trends
    assert ("encoder.model_type", '"bert" (a and b); "modernbert" (c and d)') in found.differences


def test_recipes_at_one_scale_are_compared_by_welchs_test(at_scale, compared):
    made = {
        "a": at_scale(1, "bert", gain=1.0),
        "b": at_scale(1.01, "roformer", gain=0.1, noise=0.1),
    }
    found = compared(**made, c=at_scale(4, gain=0.1))
    score = found.pairs[0].scores[COMMON]
    (gain,) = (own for own in score.recipes if own.effect == "gain")
    # Nothing is at the scale of c.
    assert gain.recipes == ("bert", "roformer")
    one, other = ((losses(s, "mlm") - losses(s, "taco")) * BITS for s in made.values())
    wanted = ttest_ind(one, other, equal_var=False)
    low, high = wanted.confidence_interval(0.95)
    assert gain.found.value == pytest.approx(one.mean() - other.mean())
    assert (gain.found.low, gain.found.high) == pytest.approx((low, high))
    assert gain.found.p_value == pytest.approx(wanted.pvalue)
    assert gain.is_significant
    (speedup,) = (own for own in score.recipes if own.effect == "speedup")
    ratio = score.rungs[0].speedup.estimate.value / score.rungs[2].speedup.estimate.value
    assert math.exp(speedup.found.value) == pytest.approx(ratio)
    said = headline(found)
    assert f"the speedup depends on the encoder: with bert it is {ratio:.2f}x [" in said
    assert "] that with roformer at 1.00M parameters" in said
    alike = compared(a=at_scale(1, "bert", gain=0.3), b=at_scale(1.01, "roformer", gain=0.3))
    assert "no significant difference in the speedup between encoders" in headline(alike)


def test_recipes_of_unlike_texts_are_not_compared(at_scale, compared):
    one, other = at_scale(1, "bert"), at_scale(1.01, "roformer")
    for number, study in enumerate((one, other)):
        study.plan = study.plan.model_copy(
            update={"data": {**study.plan.data, "train_tokens": 2_000_000 + number}}
        )
    (pair,) = compared(a=one, b=other).pairs
    assert pair.scores[COMMON].recipes == ()


def test_a_score_at_its_floor_shows_nothing(at_scale, compared):
    floors = {"majority": -5, "untrained": -10}
    found = compared(
        **{
            name: at_scale(size, floors=floors)
            for name, size in zip("abc", (1, 4, 16), strict=True)
        }
    )
    rungs = series(found, GLUE)["modernbert"].rungs
    assert all(rung.held_back and rung.shown is None for rung in rungs)
    assert all(own.found is None for own in series(found, GLUE)["modernbert"].trends)
    assert "glue is at its floor" in rungs[0].held_back
    above = compared(
        **{
            n: at_scale(s, floors={"majority": 40, "untrained": 40})
            for n, s in (("a", 1), ("b", 4))
        }
    )
    assert all(rung.held_back == "" for rung in series(above, GLUE)["modernbert"].rungs)
    bare = compared(a=at_scale(1, floors=None), b=at_scale(4, floors=None))
    assert {rung.held_back for rung in series(bare, GLUE)["modernbert"].rungs} == {
        "it is not known what glue would give without pretraining"
    }


def test_nothing_follows_from_runs_that_may_not_have_learnt(at_scale, compared):
    made = {name: at_scale(size) for name, size in zip("abc", (1, 4, 16), strict=True)}
    for study in made.values():
        study.lines = None
    found = compared(**made)
    assert all(rung.gain and rung.shown is None for rung in series(found)["modernbert"].rungs)
    assert found.tested == ()
    assert headline(found).startswith(
        "taco against mlm by common held-out loss in 3 studies: nothing can be concluded, because it "
        "is not known whether the runs learnt; nothing here"
    )


def test_a_study_is_read_at_its_look(at_scale, compared):
    made = {name: at_scale(size, seeds=(1, 2, 3)) for name, size in (("a", 1), ("b", 4), ("c", 16))}
    for name, seeds in (("b", (1, 2, 3)), ("c", (1, 2))):
        plan = made[name].plan
        made[name].plan = plan.model_copy(update={"declared": (seeds,), "looks": (len(seeds), 5)})
    found = compared(**made)
    a, b, c = series(found)["modernbert"].rungs
    assert a.speedup.level == 0.95 < b.speedup.level
    # Of two seeds that were looked at the third is not read.
    assert (a.gain.runs, b.gain.runs, c.gain.runs) == (3, 3, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: {"data": {**plan.data, "train_tokens": 2_000_001}},
        lambda plan: {"equalize": "steps"},
        lambda plan: {
            "suites": tuple(s.model_copy(update={"protocol": "other"}) for s in plan.suites)
        },
    ],
)
def test_what_is_not_alike_is_not_compared(at_scale, compared, change):
    made = [at_scale(size) for size in (1, 4, 16)]
    text = {"train_tokens": 2_000_000}
    for study in made[:2]:
        study.plan = study.plan.model_copy(update={"data": {**study.plan.data, **text}})
    other = made[2]
    base = other.plan.model_copy(update={"data": {**other.plan.data, **text}})
    other.plan = base.model_copy(update=change(base))
    found = compared(a=made[0], b=made[1], c=made[2])
    (pair,) = found.pairs
    glue = next(score for score in pair.scores if score.source == "glue")
    assert list(glue.settings) == ["A", "B"]
    assert [own.name for own in glue.series] == ["modernbert (A)", "modernbert (B)"]
    assert all(own.found is None for one in glue.series for own in one.trends)


def test_an_objective_with_other_options_is_another_unless_they_are_tuned(at_scale, compared):
    def options(study, weight, tuned):
        own = {"overrides": {"options.taco.weight": weight}} if tuned else {}
        objectives = tuple(
            o.model_copy(update={"options": {**o.options, "weight": weight}, **own})
            if o.name == "taco"
            else o
            for o in study.plan.objectives
        )
        study.plan = study.plan.model_copy(update={"objectives": objectives})
        return study

    def settings(first, second, tuned=False):
        made = {"a": options(at_scale(1), first, False), "b": options(at_scale(4), second, tuned)}
        return compared(**made).pairs[0].scores[COMMON].settings

    assert list(settings(1.0, 1.0)) == [""]
    other = settings(1.0, 0.5)
    assert list(other) == ["A", "B"]
    assert "taco: weight 0.5" in other["B"]
    assert list(settings(1.0, 0.5, tuned=True)) == [""]


def test_the_text_is_known_by_its_digest_where_all_have_one(at_scale, compared):
    made = [at_scale(size) for size in (1, 4)]
    for number, study in enumerate(made):
        for cell in study.plan.cells:
            if cell.kind == "pretrain":
                study.change(cell.id, made_from={"train": f"{number:x}", "heldout": "ab"})
        # Paths differ from machine to machine.
        data = {**study.plan.study["data"], "corpus": f"/{number}/toy"}
        study.plan = study.plan.model_copy(update={"study": {**study.plan.study, "data": data}})
    assert len(compared(a=made[0], b=made[1]).pairs[0].scores[COMMON].settings) == 2
    for cell in made[1].plan.cells:
        if cell.kind == "pretrain":
            made[1].change(cell.id, made_from={"train": "0", "heldout": "ab"})
    assert list(compared(a=made[0], b=made[1]).pairs[0].scores[COMMON].settings) == [""]


def test_losses_are_in_nats_where_a_study_lacks_its_characters(at_scale, compared):
    made = [at_scale(size, gain=0.3) for size in (1, 4)]
    made[1].lines = made[1].lines.model_copy(update={"characters_per_token": None})
    (pair,) = compared(a=made[0], b=made[1]).pairs
    rungs = pair.scores[COMMON].rungs
    assert not pair.scores[COMMON].is_in_bits
    assert rungs[0].gain.mean == pytest.approx(
        (losses(made[0], "mlm") - losses(made[0], "taco")).mean()
    )


def test_stuck_runs_and_few_seeds_are_said(at_scale, compared):
    found = compared(
        a=at_scale(1, stuck={"mlm": (1, 2)}),
        b=at_scale(4, stuck={"mlm": (1, 2, 3, 4)}),
        c=at_scale(16, seeds=(1, 2)),
    )
    a, b, c = series(found)["modernbert"].rungs
    assert (a.learnt[0].share, a.gain.runs) == ("3 of 5", 3)
    assert (b.learnt[0].share, b.gain.interval, b.shown) == ("1 of 5", None, None)
    assert c.gain.interval is None
    said = headline(found)
    assert "among runs that learnt" in said
    assert "2 studies show nothing, because too few runs learnt" in said
    assert effects(found)["modernbert", "gain"].rungs == 1
    stuck = {"mlm": (1, 2, 3, 4)}
    other = compared(a=at_scale(1), b=at_scale(4, "bert", stuck=stuck))
    assert (
        "with bert nothing can be concluded, because mlm learnt in 1 of 5 runs (taco in 5 of 5)"
        in headline(other)
    )
    # Something is said of the same recipe at another scale.
    same = compared(a=at_scale(1), b=at_scale(4, stuck=stuck))
    assert (
        "with modernbert at 4.00M parameters and 9.83M tokens nothing can be concluded, because mlm "
        "learnt in 1 of 5 runs (taco in 5 of 5)" in headline(same)
    )
    # Who did not learn comes first, whichever side that is.
    objective = compared(a=at_scale(1), b=at_scale(4, "bert", stuck={"taco": (1, 2, 3, 4)}))
    assert "because taco learnt in 1 of 5 runs (mlm in 5 of 5)" in headline(objective)
    few = compared(a=at_scale(1), b=at_scale(4, seeds=(1, 2)))
    assert "1 study shows nothing, because" in headline(few)
    nothing = compared(a=at_scale(1, seeds=(1, 2)), b=at_scale(4, seeds=(1, 2)))
    assert "nothing can be concluded, because no study has 3 pairs of runs" in headline(nothing)


def test_nothing_is_said_beyond_the_largest_scale(at_scale, compared):
    said = headline(compared(a=at_scale(1), b=at_scale(4), c=at_scale(16)))
    assert said.endswith("nothing here says what happens beyond 16.0M parameters and 39.3M tokens.")


def test_a_study_that_lacks_a_run_has_no_gain_and_says_why(at_scale, compared):
    made = {"a": at_scale(1), "b": at_scale(4)}
    del made["a"].records["taco.seed-2"]
    rung = series(compared(**made))["modernbert"].rungs[0]
    assert (rung.gain, rung.shown) == (None, None)
    assert "taco's pretraining has not run yet" in rung.why


def test_a_pair_that_a_study_does_not_have_is_left_out_of_it(at_scale, compared):
    found = compared(a=at_scale(1), b=at_scale(4), c=at_scale(16, objectives=("mlm", "other")))
    assert found.pairs[0].without == ("c",)


def test_one_study_twice_no_pair_or_the_same_runs_are_refused(at_scale, compared, tmp_path):
    run = at_scale(1).write(tmp_path / "one")
    with pytest.raises(ConfigError, match="name two or more"):
        read_studies([run])
    with pytest.raises(ConfigError, match="is named twice"):
        read_studies([run, tmp_path / "x" / ".." / "one"])
    with pytest.raises(ConfigError, match=r"have the same runs \(10 runs\)"):
        read_studies([run, at_scale(1).write(tmp_path / "copy")])
    with pytest.raises(ConfigError, match="no two of these studies compare the same"):
        compared(a=at_scale(1), b=at_scale(4, objectives=("mlm", "other")))
    with pytest.raises(ConfigError, match="no two of these studies"):
        compared(a=at_scale(1, objectives=("mlm",)), b=at_scale(4))


def test_studies_of_one_name_are_told_apart(at_scale):
    one, two = at_scale(1).results(), at_scale(4).results()
    made = studies([("rung", "x", one), ("rung", "y", two)])
    assert [study.name for study in made] == ["x/rung", "y/rung"]
    made = studies([("rung", "x", one), ("rung", "x", two)])
    assert [study.name for study in made] == ["x/rung", "x/rung (2)"]
    assert compare(made).pairs
