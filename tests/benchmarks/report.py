"""Writes leaderboard/performance.md, its picture and its record from pytest-benchmark's JSON.

    python tests/benchmarks/report.py BENCHMARK.json [FOLDER [LATER.json ...]]

The page has a row for each benchmark that stored one (see ``conftest.py``), the notes written by
hand in FOLDER/performance-notes.md, and a table of the other benchmarks' seconds. The record,
FOLDER/performance.json, is the part of the JSON that the page uses; the page can be made again from
it. There is no date and no clock: the same JSON gives the same bytes.

Benchmarks of LATER.json, which were measured again on their own, take the place of those of the same
name; where they ran on another machine or with other versions, their notes say so.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure
from tabulate import tabulate

from objbench.judge.formatting import three_digits

COMMAND = "make bench"
PAGE, PICTURE, RECORD = "performance.md", "performance.svg", "performance.json"
NOTES = "performance-notes.md"
_HOW = (
    "Each row is measured beside its peer in one process, the two taking turns, or is a number of "
    "its own with a limit; the files under `tests/benchmarks/` say how."
)
_FIELDS = ("row", "at", "floor", "ratio", "meets", "note", "at_least")
_ELSEWHERE = "measured_on"
_FIRST = "time to a held-out loss"  # what a user waits for
_MET = {True: "yes", False: "**no**", None: "-"}
_VERSIONS = ("objbench", "torch", "transformers", "tokenizers", "numpy", "python")
_REACHED, _MISSED = "#009e73", "#d55e00"  # Okabe and Ito's, safe for the colour-blind
_STYLE = {"svg.hashsalt": "objbench", "svg.fonttype": "path", "font.size": 9.0}
_NUMBER = re.compile(r"(<=|>=|<|>)\s*([\d.]+)\s*(%|x|s|ms)?")


def main(arguments: list[str]) -> None:
    """Read the JSON and write the page and its picture."""
    if not arguments or not Path(arguments[0]).is_file():
        missing = arguments[0] if arguments else "BENCHMARK.json"
        print(f"report.py: {missing}: no such file; make it with `{COMMAND}`")
        sys.exit(2)
    missing = [name for name in arguments[2:] if not Path(name).is_file()]
    if missing:
        print(f"report.py: {missing[0]}: no such file; leave it out, or make it with `{COMMAND}`")
        sys.exit(2)
    source = Path(arguments[0])
    folder = Path(arguments[1]) if len(arguments) > 1 else Path("leaderboard")
    found = json.loads(source.read_text("utf-8"))
    for later in map(Path, arguments[2:]):
        found = with_later(found, json.loads(later.read_text("utf-8")))
    rows = measured_rows(found)
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath(RECORD).write_text(json.dumps(record(found), indent=1) + "\n", "utf-8")
    by_hand = folder / NOTES
    notes = by_hand.read_text("utf-8").strip() if by_hand.is_file() else ""
    folder.joinpath(PAGE).write_text(page(found, rows, notes), "utf-8")
    folder.joinpath(PICTURE).write_bytes(picture(rows))
    missed = [f"{row['row']} ({row['at']})" for row in rows if row["meets"] is False]
    print(f"{folder / PAGE}: {len(rows)} rows, floors missed: {', '.join(missed) or 'none'}")


def with_later(found: dict, later: dict) -> dict:
    """``found`` with the benchmarks of ``later`` in place of its own of the same name."""
    device, versions = _device(later), _versions(later)
    is_like = versions == _versions(found)
    where = device if is_like else f"{device} with {versions}"
    for one in later["benchmarks"]:
        one["extra_info"].pop(_ELSEWHERE, None)
        if not is_like or device != _device(found):
            one["extra_info"][_ELSEWHERE] = where
    again = {one["name"]: one for one in later["benchmarks"]}
    kept = [again.pop(one["name"], one) for one in found["benchmarks"]]
    return found | {"benchmarks": [*kept, *again.values()]}


def record(found: dict) -> dict:
    """What the page uses of pytest-benchmark's JSON, in the same form."""
    machine = found["machine_info"]
    versions = machine.get("versions", {})
    return {
        "machine_info": {
            "cpu": {k: v for k, v in machine["cpu"].items() if k == "brand_raw"},
            **{name: machine[name] for name in ("device", "threads") if name in machine},
            "versions": {name: versions[name] for name in _VERSIONS if name in versions},
        },
        "benchmarks": [
            {
                "name": one["name"],
                "group": one["group"],
                "stats": {name: one["stats"][name] for name in ("median", "rounds")},
                "extra_info": one["extra_info"],
            }
            for one in found["benchmarks"]
        ],
    }


def measured_rows(found: dict) -> list[dict]:
    """What the benchmarks stored for a row, in the order in which they ran, after the first rows."""
    stored = (benchmark["extra_info"] for benchmark in found["benchmarks"])
    rows = [_row(row) for row in stored if "row" in row]
    return sorted(rows, key=lambda row: not row["row"].startswith(_FIRST))


def _row(stored: dict) -> dict:
    row = {field: stored.get(field) for field in _FIELDS}
    if (where := stored.get(_ELSEWHERE)) and row["ratio"] is not None:
        row["note"] = "; ".join(part for part in (row["note"], f"on {where}") if part)
    return row


def page(found: dict, rows: list[dict], notes: str = "") -> str:
    """The page: where and with what, the rows with floors, the others' seconds."""
    tables = [_rows_table(rows)] if rows else []
    if notes:
        tables += [f"Notes, by hand ({NOTES}):", notes]
    seconds = _seconds_table(found)
    if seconds:
        tables += ["## Seconds without a floor", seconds]
    return (
        "\n\n".join(
            [
                "# Performance",
                f"<!-- Made by `{COMMAND}`; edits are overwritten. -->",
                _where(found),
                _HOW,
                f"![Every row that has a number for a floor, against it]({PICTURE})",
                *tables,
            ]
        )
        + "\n"
    )


def _rows_table(rows: list[dict]) -> str:
    return _markdown(
        [
            {
                "what": row["row"],
                "at": row["at"],
                "measured": _number(row),
                "floor": row["floor"],
                "met": _MET[row["meets"]],
                "note": row["note"],
            }
            for row in rows
        ],
        left=6,
    )


def _seconds_table(found: dict) -> str:
    """Median seconds of the benchmarks that are compared by eye."""
    plain = [one for one in found["benchmarks"] if "row" not in one["extra_info"]]
    lines = [
        {
            "benchmark": f"{one['group'] or ''}: {one['name']}",
            "median": f"{three_digits(one['stats']['median'] * 1000)} ms",
            "rounds": str(one["stats"]["rounds"]),
            "also": ", ".join(
                f"on {v}" if k == _ELSEWHERE else f"{k} {v:,}" for k, v in one["extra_info"].items()
            ),
        }
        for one in plain
    ]
    return _markdown(lines, left=1) if lines else ""


def _markdown(lines: list[dict[str, str]], left: int) -> str:
    """A pipe table, one row per line; the first ``left`` columns are flush left."""
    align = ["left" if column < left else "right" for column in range(len(lines[0]))]
    return tabulate(lines, "keys", tablefmt="pipe", disable_numparse=True, colalign=align)


def _where(found: dict) -> str:
    threads = f"threads: {found['machine_info'].get('threads', '?')} unless a row says otherwise"
    where = f"{_device(found)} with {_versions(found)}"
    return f"Measured on {where}, by `{COMMAND}` ({threads})."


def _device(found: dict) -> str:
    machine = found["machine_info"]
    return machine.get("device", machine["cpu"].get("brand_raw", "a processor"))


def _versions(found: dict) -> str:
    versions = found["machine_info"].get("versions", {})
    return ", ".join(f"{name} {versions[name]}" for name in _VERSIONS if name in versions)


def _number(row: dict) -> str:
    """The measured number in the unit of its floor: a share in percent, seconds, or a factor."""
    if row["ratio"] is None:
        return "not run"
    unit, sign = _limit(row)[1], "> " if row["at_least"] else ""
    if unit == "%":
        return f"{sign}{row['ratio']:.2%}"
    return f"{sign}{three_digits(row['ratio'])}{' ' if unit in ('s', 'ms') else ''}{unit}"


def _limit(row: dict) -> tuple[float, str, bool]:
    """The first number of the floor as a plain number, its unit, and whether more is better."""
    found = _NUMBER.search(row["floor"])
    if found is None:
        return float("nan"), "", True
    sign, number, unit = found.groups()
    scale = 0.01 if unit == "%" else 1.0
    return float(number) * scale, unit or "", sign.startswith(">")


def margins_of(rows: list[dict]) -> list[tuple[str, float, bool]]:
    """Name, times better than the floor, and whether it is met, of rows with a number in it."""
    margins = []
    for row in rows:
        limit, _, is_least = _limit(row)
        if limit > 0 and row["ratio"] is not None and row["ratio"] > 0:
            margin = row["ratio"] / limit if is_least else limit / row["ratio"]
            margins.append((f"{row['row']}\n{row['at']}", margin, row["meets"]))
    return margins


def picture(rows: list[dict]) -> bytes:
    """How far each row is from its floor: to the right of 1 it is met, on a logarithmic axis."""
    bars = margins_of(rows)
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(8.4, 0.9 + 0.42 * len(bars)), layout="constrained")
        panel = figure.subplots()
        names, margins, met = zip(*reversed(bars), strict=True) if bars else ((), (), ())
        colours = [_REACHED if each else _MISSED for each in met]
        places = range(len(names))
        panel.barh(places, [m - 1 for m in margins], left=1, color=colours, height=0.6)
        panel.axvline(1, color="#4d4d4d", linewidth=0.8)
        panel.set_xscale("log")
        panel.set_yticks(places, names, fontsize=7)
        panel.set_ylim(-0.7, len(names) - 0.3)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
        panel.set_xlabel("times better than the floor\n(red: a floor is missed)")
        panel.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
