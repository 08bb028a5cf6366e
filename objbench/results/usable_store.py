"""Whether an object store can be used: looked at once, before anything depends on it."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from objbench.errors import ConfigError, one_line
from objbench.results.object_store import PROBES, ObjectStore
from objbench.results.store import Moved, Store, Version

_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and AWS_ENDPOINT_URL for a store "
    "that is not Amazon's (~/.aws is not read)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, to the path of a file of keys",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""The environment in which obstore finds who asks, by the scheme of a URL."""

_ASKED_THE_MACHINE = re.compile(
    r"//169\.254\.|/latest/(api/token|meta-data)|metadata\.google|account must be specified", re.I
)
"""In errors of obstore: without keys in the environment, it asks the machine's cloud who it is."""


def open_object_store(url: str) -> ObjectStore:
    """The store at ``url``, after a look at whether it can be used.

    Raises:
        ConfigError: the extra is not installed, the store cannot be reached, or it does not heed
            the conditions.
    """
    store = ObjectStore(url.rstrip("/"))
    try:
        require_conditional(store)
    except OSError as error:
        raise ConfigError(f"{store.url} cannot be used: {_why(store.url, error)}") from error
    return store


def _why(url: str, error: OSError) -> str:
    """Why a store cannot be used, and what to do about it."""
    fault, keys = error.strerror or one_line(error), _KEYS.get(url.partition("://")[0], "")
    if _ASKED_THE_MACHINE.search(fault):
        return f"no credentials for it were found: set {keys}"
    if isinstance(error, FileNotFoundError):  # Of an object that was just to be written.
        fault = "there is no such bucket"
    return f"{fault}; check the name of its bucket, and what is set of {keys}"


def require_conditional(store: Store) -> None:
    """Find out whether ``store`` lets one of two writers create and swap an object.

    Raises:
        ConfigError: it does not.
        OSError: it cannot be used at all.
    """
    name = f"{PROBES}/{secrets.token_hex(8)}"
    try:
        with ThreadPoolExecutor(2) as both:
            created = list(both.map(lambda one: store.put_once(name, one), (b"one", b"two")))
        content, seen = store.get(name)
        wanted = [content == b"one", content == b"two"]
        swapped = [_swaps(store, name, text, seen) for text in (b"three", b"four")]
        if created != wanted or swapped != [True, False] or store.get(name)[0] != b"three":
            raise ConfigError(
                f"{store.where('')} lets two writers create or change one object (it does not heed "
                "If-None-Match and If-Match): two workers would overwrite each other; use S3 or "
                "another store that does, or a folder"
            )
    finally:
        with suppress(OSError):
            store.delete(name)


def _swaps(store: Store, name: str, content: bytes, seen: Version) -> bool:
    try:
        store.swap(name, content, seen)
    except Moved:
        return False
    return True
