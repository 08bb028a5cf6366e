"""Does a study that is killed again and again end with equal records? ``make check-kills``.

A small study is run undisturbed, then under each executor with signals to its processes at random
moments. What was killed is started again until the study is done; then records, encoders, logs and
leftovers are compared. Finished rounds are kept in ``.benchmarks/check-kills``, so the same command
goes on where it was interrupted, as long as the code is the same. An executor whose packages are not
installed is left out, which is said.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from crews import CREWS, LEASE, Crew, Place
from disturbed_run import SIGNALS, Blow, Disturbed
from left_behind import differences, tracebacks
from processes import Command, begin
from services import MARK, Missing, Service, service

from objbench.results.atomic_files import sweep

ROOT = Path(__file__).parents[2]
OUT = ROOT / ".benchmarks" / "check-kills"
IN_A_ROUND = 8
"""Blows of one run; fewer where it ends before."""

STUDY = """
objectives = ["mlm", "taco"]
seeds = [0, 1]
budget = "16-steps"
encoder.config = {{ num_hidden_layers = 1, hidden_size = 16, num_attention_heads = 2, \
intermediate_size = 32, max_position_embeddings = 32 }}
data = {{ corpus = {corpus}, tokenizer = "train:400", length = 16 }}
training = {{ batch = 4, log_every = 1, checkpoint_every = 0, schedule = "trunk" }}
evaluation = {{ suites = ["toy", "convergence"], points = 2, max_train_samples = 16, \
heldout_batches = 1 }}
options.toy = {{ tasks = ["polarity"], epochs = 1 }}
"""


def deck(crew: Crew, seed: int) -> list[Blow]:
    """Every signal to every kind of process of a crew, once, in an order drawn from ``seed``."""
    blows = [Blow(number, victim) for number, victim in product(SIGNALS, crew.victims)]
    Random(f"{seed} {crew.name}").shuffle(blows)
    return blows


def blows_from(crew: Crew, seed: int, first: int, count: int) -> list[Blow]:
    """The blows from number ``first``, the deck again and again."""
    blows = deck(crew, seed)
    return [blows[number % len(blows)] for number in range(first, first + count)]


def rows(rounds: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str, int, int]]:
    """(executor, signal, victim, kills, those in runs that ended equal) of each kind of blow."""
    kills: Counter[tuple[str, str, str]] = Counter()
    equal: Counter[tuple[str, str, str]] = Counter()
    for one in rounds:
        for number, victim in one["blows"]:
            key = (one["executor"], number, victim)
            kills[key] += 1
            equal[key] += not one["differences"]
    order = [crew.name for crew in CREWS]
    for key in sorted(kills, key=lambda k: (order.index(k[0]), k[2], SIGNALS.index(k[1]))):
        yield (*key, kills[key], equal[key])


def table(rounds: Sequence[dict[str, Any]]) -> str:
    """The rounds as a table in markdown."""
    lines = ["| executor | signal | victim | kills | equal |", "| --- | --- | --- | ---: | ---: |"]
    found = list(rows(rounds))
    lines += [f"| {' | '.join(map(str, row))} |" for row in found]
    whole = f"**{sum(row[3] for row in found)}** | **{sum(row[4] for row in found)}**"
    return "\n".join([*lines, f"| **all** | | | {whole} |"])


def read_rounds(path: Path, code: str) -> list[dict[str, Any]]:
    """The finished rounds of the same code; none where it is another."""
    try:
        stored = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return stored["rounds"] if stored["code"] == code else []


def code_here() -> str:
    """A digest of the code that is checked and of the campaign itself."""
    digest = hashlib.sha256()
    for folder in ("objbench", "objectives", "suites", "tests/kills"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def undisturbed(place: Place) -> None:
    """Run the study as it should be.

    Raises:
        RuntimeError: it did not end well.
    """
    log = OUT / "whole.log"
    if (code := Command(place.driver("--jobs", "1"), log).wait()) != 0:
        raise RuntimeError(f"the undisturbed run ended with exit code {code}; see {log}")


def play(
    crew: Crew,
    given: Service,
    place: Place,
    whole: Path,
    blows: Sequence[Blow],
    seed: str,
) -> dict[str, Any]:
    """One round: a run that is disturbed, and how it compares with the ``whole`` one."""
    shutil.rmtree(place.run, ignore_errors=True)
    log = place.run.with_suffix(".log")
    log.unlink(missing_ok=True)
    disturbed = Disturbed(crew, place, log, given.flags)
    disturbed.run(blows, Random(seed))
    place.fetch()
    if crew.has_leases:
        sweep(
            place.run
        )  # As the same command does after a day: until then a worker may be writing.
    found = [*disturbed.faults, *differences(whole, place.run)]
    if (code := Command(["verify", str(place.run)], log).wait()) != 0:
        found.append(f"objbench verify ended with exit code {code}")
    found += [f"traceback: {one}" for one in tracebacks(log.read_text("utf-8", "replace"))]
    if not found:
        shutil.rmtree(place.run)
    for noted in place.run.parent.glob(f"{place.run.name}.workers-*"):
        noted.unlink()
    struck = [(blow.signal, blow.victim) for blow in disturbed.struck]
    return {
        "executor": crew.name,
        "blows": struck,
        "starts": disturbed.starts,
        "differences": found,
        "log": str(log),
    }


def chosen(names: Sequence[str] | None) -> list[Crew]:
    """The executors called ``names``; all of them for None.

    Raises:
        SystemExit: there is none of that name.
    """
    known = {crew.name: crew for crew in CREWS}
    if unknown := {*(names or ())} - {*known}:
        raise SystemExit(f"no executor {sorted(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]


def even() -> None:
    """Give every cell one thread, whatever runs it: sums depend on how many there are."""
    os.environ["OMP_NUM_THREADS"] = "1"
    # `--jobs 2` shares the cores among two.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def main() -> int:
    """Print the table; the exit code is 1 if a run did not end equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=16, help="of each executor, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="executor, as in the table")
    spawned = "start workers as they are started outside of here, which takes seconds each"
    parser.add_argument("--spawned", action="store_true", help=spawned)
    given = parser.parse_args()
    crews = chosen(given.only)
    OUT.mkdir(parents=True, exist_ok=True)
    code, stored = code_here(), OUT / "rounds.json"
    rounds = read_rounds(stored, code)
    if not rounds:
        shutil.rmtree(OUT)
        OUT.mkdir()
    even()
    # Shells begin what is in the background with Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    os.environ[MARK] = str(os.getpid())
    with ExitStack() as stack:
        # First of all: whatever is forked has the environment of now.
        there: dict[str, Service] = {}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for crew in crews:
            if _kills(rounds, crew) < given.kills:
                try:
                    there[crew.name] = stack.enter_context(service(crew, patch))
                except Missing as missing:
                    print(f"{crew.name}: left out, {missing}", flush=True)
        begin(spawned=given.spawned)
        whole = Place(_study(), OUT / "whole", OUT / "cache")
        undisturbed(whole)  # Where it is there already this only looks.
        for crew in (crew for crew in crews if crew.name in there):
            while (done := _kills(rounds, crew)) < given.kills:
                name = f"{crew.name.replace(' ', '-').strip('-')}-{done}"
                place = there[crew.name].place(whole, name)
                blows = blows_from(crew, given.seed, done, IN_A_ROUND)
                seed = f"{given.seed} {crew.name} {done}"
                one = play(crew, there[crew.name], place, whole.run, blows, seed)
                rounds.append(one)
                stored.write_text(json.dumps({"code": code, "rounds": rounds}, indent=1))
                found = one["differences"] or "equal"
                print(f"{crew.name}: {len(one['blows'])} kills, {found}", flush=True)
    print(table(rounds))
    from objbench.results.provenance import processor_name, versions

    found, here = versions(), processor_name()
    print(f"{here}; Python {found['python']}; torch {found['torch']}; a lease of {LEASE:g} s")
    return int(any(one["differences"] for one in rounds))


def _study() -> Path:
    """The study file, and its corpus beside it."""
    from objbench.data.toy.language import toy_documents

    corpus, study = OUT / "corpus.txt", OUT / "study.toml"
    if not study.exists():
        texts = ("\n".join(text) for text in toy_documents(0, documents=150))
        corpus.write_text("\n\n".join(texts))
        study.write_text(STUDY.format(corpus=json.dumps(str(corpus))))
    return study


def _kills(rounds: Sequence[dict[str, Any]], crew: Crew) -> int:
    return sum(len(one["blows"]) for one in rounds if one["executor"] == crew.name)


if __name__ == "__main__":
    sys.exit(main())
