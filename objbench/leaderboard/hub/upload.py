"""Sending repositories to the hub by its own client: one commit each, and never a token in a message.

Only a repository that is new, empty or made by objbench is written to.
"""

from __future__ import annotations

from huggingface_hub import CommitOperationAdd, HfApi, get_token

from objbench.errors import ConfigError, HubError, ObjbenchError, one_line
from objbench.leaderboard.hub.repositories import MARK, Repository

_WRITTEN_BY_THE_HUB = {".gitattributes"}


def require_login() -> None:
    """Refuse to begin where nobody is logged in.

    Raises:
        ConfigError: there is no token.
    """
    if not get_token():
        raise ConfigError("nobody is logged in to the hub: run `hf auth login`, or set HF_TOKEN")


def upload(repository: Repository, *, private: bool) -> str:
    """Send a repository as one commit, after making it where it does not exist; returns its address.

    Args:
        private: of a repository that is made now.

    Raises:
        ConfigError: it exists, and objbench did not make it.
        HubError: the hub is out of reach, or refuses.
    """
    api, name, kind = HfApi(), repository.name, repository.kind
    try:
        address = str(api.create_repo(name, repo_type=kind, private=private, exist_ok=True))
        there = {*api.list_repo_files(name, repo_type=kind)} - _WRITTEN_BY_THE_HUB
        if there and MARK not in there:
            raise ConfigError(
                f"{kind} {name} holds files that objbench did not put there: choose another name with "
                "--to"
            )
        api.create_commit(
            name,
            [
                CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
                for path, content in repository.files.items()
            ],
            commit_message="objbench push",
            repo_type=kind,
        )
    except ObjbenchError:
        raise
    except Exception as error:  # noqa: BLE001 - the client's have no common ancestor
        raise HubError(
            f"{kind} {name} cannot be uploaded ({_without_token(error)[:300]}): check the name, the "
            "connection, and that your token may write there; what was uploaded before stays"
        ) from None
    return address


def _without_token(error: object) -> str:
    token, text = get_token(), one_line(error)
    return text.replace(token, "***") if token else text
