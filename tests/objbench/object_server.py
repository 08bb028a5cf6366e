"""A server on this machine that speaks S3's language, for tests: moto's.

It is looked for on the PATH and in MOTO_SERVER. It wants older packages than objbench has, so it
lives in an environment of its own: ``python -m venv moto; moto/bin/pip install 'moto[server]'``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest
from memory_objects import require_obstore


@contextmanager
def object_server(monkeypatch):
    """The URL of an empty bucket; the environment names the server. Skips where there is none."""
    require_obstore()
    program = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")
    if not program:
        pytest.skip("no moto_server: install moto[server] and set MOTO_SERVER to its path")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _make_bucket(f"{place}/bucket", server)
        for name, value in {
            "AWS_ENDPOINT_URL": place,
            "AWS_ACCESS_KEY_ID": "made",
            "AWS_SECRET_ACCESS_KEY": "up",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield "s3://bucket"
    finally:
        server.kill()
        server.wait()


def _make_bucket(url, server):
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"moto_server ended with {server.returncode}")
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=30)
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("moto_server does not answer")
