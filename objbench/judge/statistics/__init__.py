"""The judge's statistics, for one's own arrays: no records, no files, no papers, no torch.

Everything is a pure function of NumPy arrays; random numbers come from a generator that the caller
hands in. Larger is better: negate losses and errors. The pretraining run is the independent unit:
average the tasks and fine-tuning seeds of a run first, and put one pretraining seed in each row.
Below three seeds (``estimate.MIN_RUNS``) there is no interval and no test, only the estimate.

======================  =========================================================================
``estimate``            mean over seeds with its t-interval; paired differences
``seed_curves``         one curve of (spend, score) per seed; isotonic regression
``target_crossing``     the spend at which a curve reaches a target, with a Fieller interval
``speedup``             the baseline's spend divided by the candidate's, at one target or at many
``multiple_tests``      paired t-tests with Holm's correction
``ranks``               rank intervals and groups that are not significantly different
``gain_by_task``        the gain of an average, task by task, and without each task
``noise_floor``         how much reseeding alone moves a score
``aggregates``          interquartile mean and probability of improvement, as in rliable
``bootstrap``           an interval for statistics that have none in closed form
``ties``                scores whose difference is rounding are the same score
``power``               how many more seeds would settle a claim
``looks``               levels that hold when seeds are added and the study is judged again
``crossed``             an interval over seeds and evaluation examples
``proportions``         shares of runs with exact intervals, and the exact test of two of them
``ordering``            whether a score orders encoders against their held-out loss
``bits_per_character``  losses per token in a unit that does not depend on the vocabulary
``contrast``            a difference or another contrast of studies' independent estimates
``trend``               whether an effect changes with scale, over studies' estimates
``time_to_target``      the spend until a fixed target, one censored number per run, and its median
``record_test``         whether a recipe reaches a target with less than the holder of a record
======================  =========================================================================

Is the candidate better, at three seeds?

>>> import numpy as np
>>> from objbench.judge.statistics.estimate import paired_difference
>>> baseline = np.array([74.8, 75.1, 75.3])
>>> candidate = np.array([75.9, 76.0, 76.5])
>>> gain = paired_difference(candidate, baseline)
>>> print(f"{gain.mean:+.2f} [{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]")
+1.07 [+0.69, +1.45]

How much faster does it reach the baseline's final score? One row per seed, one column per point:

>>> from objbench.judge.statistics.seed_curves import SeedCurves
>>> from objbench.judge.statistics.speedup import speedup_at
>>> spend = np.tile([50.0, 100.0, 150.0, 200.0, 250.0], (3, 1))
>>> mlm = SeedCurves(spend, [[70, 72, 73, 74, 74.8], [70, 72, 74, 74.5, 75], [71, 73, 74, 75, 75.3]])
>>> new = SeedCurves(spend, [[72, 74, 75, 76, 76.0], [72, 74.5, 75, 76, 76], [73, 75, 76, 76, 76.5]])
>>> found = speedup_at(mlm, new)
>>> print(f"{found.estimate.value:.2f}x [{found.low.value:.2f}x, {found.high.value:.2f}x]")
1.89x [1.52x, 2.55x]
"""
