"""What plugins are written against: objectives, terms, batches, suites, hooks and random streams."""
