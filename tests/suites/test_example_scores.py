"""Metrics example by example: against the metrics, against weights moved by hand, and resampling."""

import numpy as np
import pytest
from scipy.stats import rankdata

from objbench.judge.statistics.crossed import ExampleDifferences, example_error
from objbench_suites.example_scores import example_values
from objbench_suites.glue_metric import GlueMetric
from objbench_suites.glue_tasks import METRICS

NUDGE = 1e-6


def made(task, size, seed=0):
    """Predictions that are right more often than not, with ties where they are graded."""
    random = np.random.default_rng(seed)
    if task == "stsb":
        grades = np.round(random.uniform(0, 5, size), 1)
        return np.round(0.5 * grades + random.normal(0, 1, size), 1), grades
    classes = 3 if task == "mnli" else 2
    labels = (random.random(size) * classes * 0.9).astype(int)
    guesses = random.integers(classes, size=size)
    return np.where(random.random(size) < 0.5, labels, guesses), labels


def mid_ranks(x, weights):
    """Weight of what is smaller plus half of what is the same, by loops."""
    return np.array(
        [
            sum(w for w, v in zip(weights, x, strict=True) if v < one)
            + sum(w for w, v in zip(weights, x, strict=True) if v == one) / 2
            for one in x
        ]
    )


def weighted(metric, x, y, weights):
    """A metric of examples that weigh differently, by its definition."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if metric == "accuracy":
        return float((weights * (x == y)).sum())
    if metric == "f1":
        right = (weights * x * y).sum()
        return 2 * right / (2 * right + (weights * (x != y)).sum())
    if metric == "spearmanr":
        x, y = mid_ranks(x, weights), mid_ranks(y, weights)
    u, v = x - (weights * x).sum(), y - (weights * y).sum()
    return (weights * u * v).sum() / np.sqrt((weights * u * u).sum() * (weights * v * v).sum())


@pytest.mark.parametrize("task", METRICS)
@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_their_mean_is_the_metric(task, size, tmp_path):
    x, y = made(task, size)
    expected = GlueMetric(task, tmp_path).compute(predictions=x, references=y)
    found = example_values(task, x, y)
    assert found.keys() == expected.keys()
    for metric, values in found.items():
        assert values.shape == (size,)
        assert values.mean() == pytest.approx(expected[metric], abs=1e-7)


@pytest.mark.parametrize("task", ["cola", "sst2", "mrpc", "stsb"])
def test_their_deviations_are_what_a_little_more_weight_does(task):
    x, y = made(task, 30)
    equal = np.full(30, 1 / 30)
    for metric, values in example_values(task, x, y).items():
        before = weighted(metric, x, y, equal)
        assert values.mean() == pytest.approx(before)
        for row in range(30):
            weights = equal * (1 - NUDGE)
            weights[row] += NUDGE
            influence = (weighted(metric, x, y, weights) - before) / NUDGE
            assert values[row] - before == pytest.approx(influence, abs=2e-4), (metric, row)


@pytest.mark.parametrize("task", ["cola", "mrpc", "stsb", "mnli"])
def test_their_spread_is_that_of_the_metric_over_samples(task, tmp_path):
    random, metric = np.random.default_rng(1), GlueMetric(task, tmp_path)
    x, y = made(task, 400)
    draws = [random.integers(400, size=400) for _ in range(300)]
    resampled = [metric._compute(x[rows], y[rows]) for rows in draws]
    for name, values in example_values(task, x, y).items():
        error = values.std(ddof=1) / np.sqrt(400)
        assert error == pytest.approx(np.std([one[name] for one in resampled]), rel=0.12)


@pytest.mark.parametrize("task", ["cola", "mrpc", "stsb"])
def test_what_is_undefined_is_0(task, tmp_path):
    x, y = np.zeros(5), np.array([0, 1, 0, 1, 1])
    expected = GlueMetric(task, tmp_path).compute(predictions=x, references=y)
    for metric, values in example_values(task, x, y).items():
        assert values.mean() == pytest.approx(expected[metric])


@pytest.mark.parametrize("step", [0.0, 1e-9, 3e-7, 1e-5])
def test_nearly_constant_predictions_are_what_the_metric_makes_of_them(step, tmp_path):
    x, y = made("stsb", 300)
    x = 2.7 + step * x
    expected = GlueMetric("stsb", tmp_path).compute(predictions=x, references=y)
    for metric, values in example_values("stsb", x, y).items():
        assert values.mean() == pytest.approx(expected[metric], abs=1e-6)


def test_matthews_of_three_classes_is_sklearns():
    from sklearn.metrics import matthews_corrcoef

    x, y = made("mnli", 200)
    values = example_values("cola", x, y)["matthews_correlation"]
    assert values.mean() == pytest.approx(matthews_corrcoef(y, x))


def test_two_classes_have_at_most_four_values():
    """Two bits an example hold them."""
    x, y = made("mrpc", 300)
    found = {**example_values("mrpc", x, y), **example_values("cola", x, y)}
    assert {len(np.unique(values)) for values in found.values()} <= {2, 3, 4}


def printed(task, x, y):
    """The printed score of one task: the mean of its metrics, from counts and moments."""
    if task == "stsb":
        ranks = rankdata(x), rankdata(y)
        return (np.corrcoef(x, y)[0, 1] + np.corrcoef(*ranks)[0, 1]) / 2
    if task == "mrpc":
        return (np.mean(x == y) + 2 * np.sum(x * y) / np.sum(x + y)) / 2
    return np.corrcoef(x, y)[0, 1]


def runs_of(task, seeds, size, random):
    """Predictions of two sides at every seed, the second better on some examples; and references."""
    x, y = made(task, size, seed=random.integers(100))
    is_easy = random.random((2, size)) < [[0.2], [0.45]]
    sides = []
    for easy in is_easy:
        kept = easy | (random.random((seeds, size)) < 0.3)
        noise = random.normal(0, 1, (seeds, size)) if task == "stsb" else 0
        sides.append(
            np.where(kept, y, x[random.permuted(np.tile(np.arange(size), (seeds, 1)), axis=1)])
            + noise
        )
    return sides, y


def test_the_multi_bootstrap_of_an_average_over_tasks_has_their_variance():
    """Seeds and examples drawn again by plain loops, and every metric computed again."""
    random, seeds, size, draws = np.random.default_rng(6), 4, 250, 600
    tasks = {task: runs_of(task, seeds, size, random) for task in ("cola", "mrpc", "stsb")}
    gains = []
    for _ in range(draws):
        drawn = random.integers(seeds, size=seeds)
        gain = 0.0
        for task, ((base, candidate), y) in tasks.items():
            rows = random.integers(size, size=size)
            for seed in drawn:
                gain += printed(task, candidate[seed][rows], y[rows])
                gain -= printed(task, base[seed][rows], y[rows])
        gains.append(gain / seeds / len(tasks))
    values = {
        task: np.array(
            [
                np.mean([*example_values(task, after, y).values()], axis=0)
                - np.mean([*example_values(task, before, y).values()], axis=0)
                for before, after in zip(*sides, strict=True)
            ]
        )
        / len(tasks)
        for task, (sides, y) in tasks.items()
    }
    by_seed = sum(own.mean(axis=1) for own in values.values())
    rest = sum(
        np.sum((own - own.mean(axis=1)[:, None] - own.mean(axis=0) + own.mean()) ** 2)
        for own in values.values()
    ) / (seeds * size * (seeds - 1) * (size - 1))
    own = example_error([ExampleDifferences(one, size) for one in values.values()]).error
    # See ``judge.statistics.crossed`` for how often the bootstrap counts what.
    expected = by_seed.var() / seeds + own**2 + rest + 0.75 * rest
    assert own**2 > 0.2 * expected
    assert np.var(gains) == pytest.approx(expected, rel=0.15)
