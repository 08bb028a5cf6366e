"""From a study to its cells and their keys."""
