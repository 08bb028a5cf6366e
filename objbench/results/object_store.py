"""A store in an object store: S3 and what speaks its language, Google Cloud Storage, or Azure.

Files are created with ``If-None-Match: *`` and swapped with ``If-Match``, so it must be one that
heeds these two: ``usable_store`` finds out. Where it is, and who asks, is said in the
environment, as its own tools want it: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
AWS_ENDPOINT_URL (also one with http://, unless AWS_ALLOW_HTTP=false), GOOGLE_APPLICATION_CREDENTIALS
and the like.

The library is obstore (the extra ``objbench[s3]``): of those that reach S3 it alone offers both
conditions as a part of its interface, without other packages and for every such store.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from objbench.errors import ConfigError, one_line
from objbench.results.store import Moved, Version

SCHEMES = ("s3", "gs", "az")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
PROBES = ".probes"
"""Where objects are that say nothing of a run."""
# A store that is away for longer stops the run, which then continues with the same command.
_CLIENT: Any = {"connect_timeout": timedelta(seconds=30), "timeout": timedelta(minutes=10)}
_RETRY: Any = {"max_retries": 8, "retry_timeout": timedelta(minutes=2)}


_TRIED = re.compile(
    r"Generic \w+ error: Error performing \w+ (\w+://\S+?)(?:/\.probes/\w+)? in \d.*? - "
)
"""How obstore begins what it says of a request: with how often and how long it tried."""


def is_url(text: str) -> bool:
    """Whether ``text`` names a place in an object store rather than a folder."""
    scheme, found, _ = text.partition("://")
    return bool(found) and scheme in SCHEMES


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The objects whose names begin with that of a URL.

    Attributes:
        url: such as "s3://bucket/runs/demo"; "memory://NAME" is in this process only, for tests.
    """

    url: str

    def read(self, name: str) -> bytes:
        """The content of an object."""
        return self.get(name)[0]

    def read_part(self, name: str, start: int, length: int) -> bytes:
        """Some bytes of an object, without the others."""
        with _errors(self, name):
            found = _obstore().get_range(_client(self.url), name, start=start, length=length)
            return bytes(found)

    def get(self, name: str) -> tuple[bytes, Version]:
        """The content of an object and its version, the entity tag.

        On S3 that tells contents apart, and not two times at which the content was the same.
        """
        with _errors(self, name):
            found = _obstore().get(_client(self.url), name)
            return bytes(found.bytes()), _version(found.meta)

    def write(self, name: str, content: bytes) -> None:
        """Store an object, in place of an older one."""
        with _errors(self, name):
            _obstore().put(_client(self.url), name, content)

    def put_once(self, name: str, content: bytes) -> bool:
        """Store an object unless there is one."""
        try:
            self.swap(name, content, None)
        except Moved:
            return False
        return True

    def swap(self, name: str, content: bytes, seen: Version | None) -> Version:
        """Store an object in place of the version ``seen``."""
        mode = "create" if seen is None else {"e_tag": seen}
        with _errors(self, name):
            # In one request: the parts of a larger one know no condition.
            stored = _obstore().put(
                _client(self.url), name, content, mode=mode, use_multipart=False
            )
            return _version(stored)

    def age(self, name: str) -> float:
        """Seconds since an object was stored; S3 tells times in whole seconds."""
        probe = f"{PROBES}/{secrets.token_hex(8)}"
        with _errors(self, name):
            changed = _obstore().head(_client(self.url), name)["last_modified"]
            self.write(probe, b"")
            now = _obstore().head(_client(self.url), probe)["last_modified"]
            self.delete(probe)
        return float(max(0.0, (now - changed).total_seconds()))

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError), _errors(self, name):
            _obstore().delete(_client(self.url), name)

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        try:
            with _errors(self, name):
                _obstore().head(_client(self.url), name)
        except FileNotFoundError:
            return False
        return True

    def list(self, folder: str) -> list[str]:
        """The names of all objects below ``folder``; 1,000 of them for each request."""
        with _errors(self, folder):
            chunks = _obstore().list(_client(self.url), folder or None)
            found = [one["path"] for chunk in chunks for one in chunk]
        return sorted(name for name in found if not name.startswith(f"{PROBES}/"))

    def where(self, name: str) -> str:
        """The URL of an object."""
        return f"{self.url}/{name}" if name else self.url

    def upload(self, path: Path, name: str) -> None:
        """Store the file ``path``, however large, in place of an older object."""
        with _errors(self, name):
            _obstore().put(_client(self.url), name, path)

    def download(self, name: str, path: Path) -> None:
        """Write the object into the new file ``path``, however large it is."""
        with _errors(self, name), path.open("xb") as file:
            for chunk in _obstore().get(_client(self.url), name):
                file.write(chunk)


def _version(stored: Any) -> Version:
    tag = stored["e_tag"]
    if tag is None:
        raise OSError(errno.ENOTSUP, "it tells no version (ETag) of what it stores")
    return str(tag)


def _obstore() -> Any:
    try:
        import obstore
    except ImportError as error:
        raise ConfigError(
            "an object store needs the package obstore: pip install 'objbench[s3]'"
        ) from error
    return obstore


@cache
def _client(url: str) -> Any:
    """What speaks to the store at ``url``; one for a process, since it keeps connections open."""
    _obstore()
    from obstore.exceptions import BaseError
    from obstore.store import MemoryStore, from_url

    if url.startswith("memory://"):
        return MemoryStore()
    try:
        # Options that are given take the place of those in the environment, this one too.
        options = _CLIENT | {"allow_http": _is_http_allowed()}
        return from_url(url, retry_config=_RETRY, client_options=options)
    except (BaseError, ValueError) as error:
        raise OSError(errno.EINVAL, _reason(error), url) from error


@contextmanager
def _errors(store: ObjectStore, name: str) -> Iterator[None]:
    """Turns the library's errors into ``Moved`` and those of a file system."""
    _obstore()
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
        raise Moved(store.where(name)) from error
    except (FileNotFoundError, exceptions.NotFoundError) as error:
        raise FileNotFoundError(
            errno.ENOENT, "there is no such object", store.where(name)
        ) from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, _reason(error), store.where(name)) from error
    except (exceptions.BaseError, ValueError) as error:
        raise OSError(errno.EIO, _reason(error), store.where(name)) from error


def _reason(error: BaseException) -> str:
    """What a library's error says, without its details for programmers, at most 200 characters."""
    text, _, _ = str(error).partition("Debug source:")
    return _TRIED.sub(r"\1: ", one_line(text))[:200]


def _is_http_allowed() -> bool:
    """Whether requests may go unencrypted: who names an address with http:// has asked for it."""
    if (said := os.environ.get("AWS_ALLOW_HTTP")) is not None:
        return said.lower() in {"true", "1"}
    return any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
