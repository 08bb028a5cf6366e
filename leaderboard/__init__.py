"""Published data: claims, papers' figures and the self-test, read by ``objbench.published``."""
