"""What a worker must have in common with the process that planned a study, to run its cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from objbench.results.foreign_values import Count, Key, Label
from objbench.results.json_files import Stored


class WorkerTerms(Stored):
    """What the planning process had.

    Attributes:
        engine_version: ``ENGINE_VERSION``.
        objbench: its version.
        sources: plugin -> the digest of its source, as the keys of its cells hold it.
        device: the name of the device on which steps were timed, where time decides how many steps
            an objective gets; "" elsewhere.
    """

    engine_version: Count
    objbench: Label
    sources: dict[Annotated[str, Field(max_length=200)], Key]
    device: Label = ""

    def differences(self, here: WorkerTerms) -> Iterator[str]:
        """Where ``here``, what a worker has, is another, in a few words each."""
        if self.engine_version != here.engine_version:
            yield f"engine version {self.engine_version}, here {here.engine_version}"
        if self.objbench != here.objbench:
            yield f"objbench {self.objbench}, here {here.objbench}"
        for name, digest in self.sources.items():
            found = here.sources.get(name, "")
            if digest != found:
                yield f"the source of {name} {digest[:12]}, here {found[:12] or 'unknown'}"
        if self.device and self.device != here.device:
            yield f"steps timed on {self.device}, here {here.device}"
