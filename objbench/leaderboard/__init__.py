"""The leaderboard: from records to pages, pictures and a few lines on the terminal.

Everything here reads ``plan.json``, the records, the comparison of steps and what objbench publishes
(claims, the judge's error rates), and nothing else: no torch, no plugin, no registry. What is
printed is a pure function of those files: the same records give the same bytes. Every verdict,
interval, speedup and rank is the judge's.

The way of the data, one file a step::

    ranking        arrays of scores -> who is ranked, on what, how surely, and why not
    curve_sources  the scores that have curves         speedups  -> the judge's, at the final score
    judged_claims  -> verdicts and the judge's rates   sentences -> what the numbers do not show
    ranking_table, task_table, budget_table, aggregate_table, speedup_table, tuning_table,
    step_table, tables
                   -> markdown tables                  spent, curve_values: what they rest on
    unscored       who cannot be scored on what, and why
    settings       -> how it was made                  gaps      -> what is incomplete
    convergence_picture, speedup_picture, drawing      -> the plots
    curve_section  -> a score's plots and targets      page_text -> the whole page
    page           -> a study's folder                 index     -> the page over many studies
    terminal       -> a few lines of plain text        notation, axes: how it is all written

Before it, ``objbench.results.study_results`` joins plan and records, and ``objbench.judge.score_arrays`` lays the scores
out. Callers import ``page.write_leaderboard``, ``index.write_index`` and
``terminal.terminal_summary`` from their modules, so that each pays only for what it needs.
"""
