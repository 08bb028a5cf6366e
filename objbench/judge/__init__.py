"""The judge: from scores and curves of several pretraining seeds to verdicts on claims.

``statistics`` are pure functions of arrays, ``papers`` are claims and figures as data, and
``selftest`` measures the judge's own error rates. No torch and no plugin: a verdict is based on
records alone. Findings are numbers and codes; ``verdict_sentence`` puts them into words.
"""

JUDGE_VERSION = 5
"""Raised whenever a verdict may change; error rates of another version are not shown."""
