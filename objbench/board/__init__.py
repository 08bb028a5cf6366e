"""The leaderboard: from records to a page, a picture and a few lines on the terminal.

Everything here reads ``plan.json`` and the records and nothing else: no torch, no plugin, no
registry. What is printed is a pure function of those files: the same records give the same bytes.

The way of the data, one file a step::

    ranking    arrays of scores -> who is ranked, on what, and why not
    tables     -> markdown tables        sentences  -> what the numbers do and do not show
    settings   -> how it was made        gaps       -> what is incomplete
    picture    -> the convergence plot
    page       -> the leaderboard's folder           terminal  -> a few lines of plain text

Before it, ``objbench.standing`` joins plan and records, and ``objbench.score_arrays`` lays the scores
out. Callers import ``page.write_leaderboard`` and ``terminal.terminal_summary`` from their modules,
so that each pays only for what it needs.
"""
