"""Environment variables that are changed for a moment, as for a process that is being started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def changed_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Change this process's environment within the block; what was there before is put back after it.

    accelerate has the same (``patch_environment``), and imports torch, which must not be imported
    before a worker knows its GPU.
    """
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
