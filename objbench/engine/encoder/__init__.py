"""Encoders: building, attention kernels, export and loading."""
