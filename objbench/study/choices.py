"""What settings may be, where the command line asks for it too; no pydantic is imported."""

from __future__ import annotations

from typing import Literal

MOST = 2**31 - 1
"""The largest count: what the sizes of arrays, queues and files are sure to hold."""

Schedule = Literal["linear", "constant", "trunk"]
"""Of the learning rate: linear decay; constant with a linear decay at the end; or constant with a
cooldown branch for every evaluation point."""

MOST_LENGTH = 10**6
"""Tokens of a sequence: what is made of one before anything is trained still fits memory."""

Precision = Literal["fp32", "bf16", "fp16"]
"""Number format of activations and gradients."""
