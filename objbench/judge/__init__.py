"""The judge: from scores and curves of several pretraining seeds to verdicts on claims.

Pure functions on arrays, with the random generator passed in; only ``papers.claims``, ``evidence``,
``papers.figures`` and ``selftest.error_rates`` read files. No torch, no plugin: a verdict rests on records and on
nothing else.
"""

JUDGE_VERSION = 1
"""Raised whenever a verdict may change; rates measured under another version are not shown."""
