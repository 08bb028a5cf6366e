"""The training engine: knows the contracts, and no objective or suite by name."""

ENGINE_VERSION = 10
"""Raised whenever the engine may compute other numbers; enters every cell's key."""
