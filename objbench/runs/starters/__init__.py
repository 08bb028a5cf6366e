"""Clusters on which objbench starts the workers itself; each is an extra that the core never imports."""
