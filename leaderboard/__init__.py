"""Published data: claims and figures of papers, the judge's error rates.

Read by ``objbench.judge.papers.published_files``.
"""
