"""A stand-in for the hub's HTTP interface on this machine: repositories in memory, one token.

As much of it as uploads by commits need, small and large files, and downloads of snapshots.
"""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_" + "SecretOfTheTest" * 2
LARGE = (".safetensors", ".parquet")


class Hub:
    """Repositories by (kind, name): path -> bytes.

    Attributes:
        requests: (method, path, whether the token was right) of every request.
        refuses: paths that are answered with status 403, and the token in the body.
    """

    def __init__(self):
        self.repositories = {}
        self.private = {}
        self.blobs = {}
        self.requests = []
        self.commits = []
        self.refuses = ""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def handle_one(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                hub.requests.append((self.command, self.path, self._is_known()))
                status, headers, answer = hub.answer(
                    self.command, unquote(urlsplit(self.path).path), body, self._is_known()
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_HEAD = handle_one

            def _is_known(self):
                return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def revision(self, place):
        """The id of the last commit: of what is in the repository."""
        files = sorted(self.repositories[place].items())
        return hashlib.sha1(repr(files).encode(), usedforsecurity=False).hexdigest()

    def answer(self, method, path, body, known):
        if self.refuses and self.refuses in path:
            return _json({"error": f"no: {TOKEN}"}, 403)
        if method == "PUT" and path.startswith("/blobs/"):
            self.blobs[path.removeprefix("/blobs/")] = body
            return _json({})
        if path == "/api/repos/create":
            return self._create(json.loads(body), known)
        if path == "/api/validate-yaml":
            return self._card(json.loads(body)["content"])
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            return self._of_repository(method, parts[1:], body, known)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        kind = "dataset" if parts[0] == "datasets" else "model"
        parts = parts[kind == "dataset" :]
        place = kind, "/".join(parts[:2])
        content = self.repositories.get(place, {}).get("/".join(parts[4:]))
        if parts[2:3] != ["resolve"] or content is None:
            return _json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        about = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": self.revision(place),
            "Content-Length": str(len(content)),
        }
        return 200, about, content

    def _card(self, content):
        """The metadata of a card, which the hub reads before it takes a commit."""
        start, metadata, _ = content.split("---\n", 2)
        try:
            found = yaml.safe_load(metadata)
            is_good = start == "" and isinstance(found, dict)
        except yaml.YAMLError:
            is_good = False
        errors = [] if is_good else [{"message": "the metadata cannot be read"}]
        return _json({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _create(self, asked, known):
        if not known:
            return _json({"error": "Invalid credentials"}, 401)
        place = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
        url = f"{self.address}/{'datasets/' * (place[0] == 'dataset')}{place[1]}"
        if place in self.repositories:
            return _json({"error": "You already created this repo", "url": url}, 409)
        self.repositories[place] = {".gitattributes": b"* text"}
        self.private[place] = asked.get("visibility", "public") == "private"
        return _json({"url": url})

    def _of_repository(self, method, parts, body, known):
        place, what = (parts[0].removesuffix("s"), "/".join(parts[1:3])), parts[3:]
        if place not in self.repositories:
            return _json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        files = self.repositories[place]
        if method == "POST" and not known:
            return _json({"error": "Invalid credentials"}, 401)
        if what[:1] == ["preupload"]:
            asked = json.loads(body)["files"]
            return _json(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                            "shouldIgnore": False,
                        }
                        for file in asked
                    ]
                }
            )
        if what[:1] == ["commit"]:
            return self._commit(place, body)
        if what[:1] == ["tree"]:
            rows = [
                {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
                for path, content in files.items()
            ]
            return _json(rows)
        return _json(
            {
                "id": place[1],
                "sha": self.revision(place),
                "siblings": [{"rfilename": path} for path in files],
                "tags": [],
                "private": False,
            }
        )

    def _commit(self, place, body):
        files = self.repositories[place]
        for line in filter(None, body.split(b"\n")):
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                self.commits.append((place, value["summary"]))
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if item["key"] == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
        oid = self.revision(place)
        return _json({"commitUrl": f"{self.address}/{place[1]}/commit/{oid}", "commitOid": oid})

    def _batch(self, asked):
        objects = [
            {
                **one,
                "authenticated": True,
                "actions": {"upload": {"href": f"{self.address}/blobs/{one['oid']}"}},
            }
            for one in asked["objects"]
        ]
        return _json({"transfer": "basic", "objects": objects})


def _json(content, status=200, headers=None):
    return (
        status,
        {"Content-Type": "application/json", **(headers or {})},
        json.dumps(content).encode(),
    )
