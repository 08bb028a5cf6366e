"""What suites that score an encoder on held-out text have in common: one task, every point."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import blake2b

from objbench.contract.suite import Suite

TASK = "text"


class HeldoutTextSuite(Suite):
    """A suite on the half of the held-out text that the evaluation context gives it."""

    every_point = True

    def tasks(self) -> tuple[str, ...]:
        """The held-out text."""
        return (TASK,)

    def fingerprint(self, task: str) -> str:
        """Hash of the options; which text and which half of it is in the cell's key already."""
        text = json.dumps(asdict(self.config), sort_keys=True)
        return blake2b(text.encode(), digest_size=16).hexdigest()
