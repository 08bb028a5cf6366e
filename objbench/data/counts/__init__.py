"""What counts of the training text alone say of a hidden token: the reference lines of a study."""
