"""Several studies on one page: does a speedup or a gain change with scale?

The data goes one way, as in ``objbench.leaderboard``::

    studies -> likeness, rungs -> changes, comparison    numbers and tests
    comparison -> change_words, sentences, sections      a document
    page                                                 the files
"""
