"""A store in the memory of this process, and one whose process is killed before it writes."""

from __future__ import annotations


class MemoryStore:
    """Files by name; counts what is read."""

    def __init__(self):
        self.files = {}
        self.reads = 0

    def read(self, name):
        self.reads += 1
        try:
            return bytes(self.files[name])
        except KeyError:
            raise FileNotFoundError(2, "there is no such file", name) from None

    def read_part(self, name, start, length):
        return self.read(name)[start : start + length]

    def write(self, name, content):
        self.files[name] = content

    def put_once(self, name, content):
        # One step of the interpreter, so of several threads one does it, with an object of its own.
        own = bytearray(content)
        return self.files.setdefault(name, own) is own

    def delete(self, name):
        self.files.pop(name, None)

    def exists(self, name):
        return name in self.files

    def list(self, folder):
        return sorted(name for name in [*self.files] if name.startswith(f"{folder}/"))

    def where(self, name):
        return f"memory:{name}"


class Killed(BaseException):
    """The process is gone."""


class KilledStore:
    """A store whose process is killed before its change number ``after``, counted from 0."""

    def __init__(self, store, after):
        self.store, self.left = store, after

    def __getattr__(self, name):
        found = getattr(self.store, name)
        if name not in ("write", "put_once", "swap", "delete"):
            return found

        def change(*args):
            if not self.left:
                raise Killed(name)
            self.left -= 1
            return found(*args)

        return change
