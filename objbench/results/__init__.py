"""What is stored: the plan, the records, and the layout of a run folder."""
