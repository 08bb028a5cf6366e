"""Running a study: planning its cells and carrying them out."""
