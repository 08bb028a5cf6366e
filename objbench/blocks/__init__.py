"""Corruptions and losses that objectives share."""
