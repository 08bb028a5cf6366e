"""A tokenizer that was trained on a corpus, for machines that have no corpus.

The files of its folder are kept in a store, the digests of all of them last; a machine that wants it
copies it once, and checks it.
"""

from __future__ import annotations

from pathlib import Path

from objbench.data.atomic_folder import built_once
from objbench.data.tokenizer import (
    TokenizerHandle,
    load_from_folder,
    load_tokenizer,
    trained_folder,
)
from objbench.errors import DataError
from objbench.results.sealed_folder import SEAL, damage
from objbench.results.store import Store

_SHARED = "text/tokenizers"


def share_tokenizer(spec: str, corpus_fingerprint: str, cache_dir: Path, store: Store) -> None:
    """Keep a tokenizer in the store of a run, if it is one that was trained on the corpus.

    Args:
        spec: as for ``load_tokenizer``, which has loaded it.
        corpus_fingerprint: of the corpus.
        cache_dir: where it is.
        store: where it is kept.
    """
    folder = trained_folder(spec, corpus_fingerprint, cache_dir)
    if folder is None or store.exists(f"{_SHARED}/{folder.name}/{SEAL}"):
        return
    names = sorted(path.name for path in folder.iterdir() if path.name != SEAL)
    for name in [*names, SEAL]:
        store.put_once(f"{_SHARED}/{folder.name}/{name}", (folder / name).read_bytes())


def load_known_tokenizer(
    spec: str, corpus_fingerprint: str, cache_dir: Path, store: Store | None = None
) -> TokenizerHandle:
    """The tokenizer that ``load_tokenizer`` gives where the corpus is.

    Args:
        spec: as for ``load_tokenizer``.
        corpus_fingerprint: of the corpus that it was trained on, if it was trained.
        cache_dir: where trained tokenizers are; the shared one is copied there.
        store: where it was shared; None where nobody has shared it.

    Raises:
        ConfigError, DataError, HubError: as ``load_tokenizer``; or it is in neither place.
    """
    folder = trained_folder(spec, corpus_fingerprint, cache_dir)
    if folder is None:
        return load_tokenizer(spec, None, cache_dir)

    def build(made: Path) -> None:
        shared = f"{_SHARED}/{folder.name}"
        if store is None or not store.exists(f"{shared}/{SEAL}"):
            where = f"not in {folder}"
            if store is not None:
                where = f"neither in {folder} nor in {store.where(shared)}"
            raise DataError(
                f"tokenizer {spec} was trained elsewhere, and is {where}: name the cache that has it with "
                "--cache, or run the study once more with --executor workers where the corpus is"
            )
        for name in store.list(shared):
            (made / Path(name).name).write_bytes(store.read(name))
        if fault := damage(made):
            raise DataError(
                f"{store.where(shared)} is damaged ({fault}): delete it and run the study again"
            )

    built_once(folder, build)
    return load_from_folder(spec, folder)
