"""Keys: a cell's key is a hash of all that determines its result, and of nothing else.

Two runs that would compute the same thing share a key, so a finished cell is never run again; a
cell whose plugin source, settings, data or upstream cell changed has another key, so an old
result is never taken for a new one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def content_key(parts: Any) -> str:
    """The SHA-256 (hex) of ``parts`` as canonical JSON: sorted keys, no NaN, no floats reformatted.

    Raises:
        TypeError: ``parts`` holds something that is not JSON.
    """
    text = json.dumps(parts, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
