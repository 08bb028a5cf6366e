"""Where cells run: in this process, or in others that it supervises."""
