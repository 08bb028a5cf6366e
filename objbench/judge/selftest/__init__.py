"""The judge's own test on simulated and real studies whose truth is known."""
