"""The training loop: schedule, optimizer, checkpoints, cost counters and held-out loss."""
