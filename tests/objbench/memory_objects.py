"""An object store without a server, for tests: obstore's own, in memory.

The core installs without obstore, and its tests run there; so every test gets such a store here,
where it is skipped with a reason.
"""

from __future__ import annotations

import pytest

from objbench.results.object_store import ObjectStore


def require_obstore():
    """Skips the test where the extra is not installed."""
    pytest.importorskip("obstore", reason="the extra objbench[s3] is not installed")


def memory_objects(name, kind=ObjectStore):
    """An object store of that kind; one name is one store."""
    require_obstore()
    return kind(f"memory://{name}")
