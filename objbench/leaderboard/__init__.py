"""The leaderboard: from records to pages, pictures and a few lines on the terminal.

Everything here reads the plan, the records, the comparison of steps and what objbench publishes
(claims, the judge's error rates), and nothing else: no torch, no plugin, no registry. The same
records give the same bytes. Every verdict, interval, speedup and rank is the judge's.

The data goes one way::

    ranking, columns, aggregates, speedups, curve_sources, curve_values, costs, tuning,
    settings, missing, unscored, caveats
                            -> analysis    computes a report: numbers, verdicts and caveats
    report                  -> headline, findings, tables/, curve_sections, details, sections
                                           sentences and tables of values: a document
    document                -> render_markdown, terminal
                                           text; one file per format
    report                  -> pictures/   the plots
    page, index             the files: a study's folder, the page over many studies
    across/                 a page that compares studies: does a speedup change with scale?

``objbench.results.study_results`` joins plan and records before it, and
``objbench.judge.score_arrays`` arranges the scores as arrays. ``data_frames`` gives the records
themselves as tables for one's own analysis.
"""
