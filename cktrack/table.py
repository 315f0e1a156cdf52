"""The tables of a benchmark's result: text from figures, for the terminal and for the README. Nothing is measured here.

python -m cktrack.table docs/bench.json      prints the README's table
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Cell = Callable[[Any], str]
COLUMNS: dict[str, tuple[str, Cell]] = {  # key of a contestant's line -> heading, how its value reads
    "median": ("{unit}", lambda v: f"{v:,.0f}"),
    "best": ("best", lambda v: f"{v:,.0f}"),
    "spread": ("spread", lambda v: f"{v:.0%}"),
    "ratio": ("time, first = 1", lambda v: f"{v:.2f}"),
    "gflop_per_second": ("GFLOP/s", lambda v: f"{v:,.0f}"),
    "mfu": ("MFU", lambda v: f"{v:.0%}"),
    "share_of_peak": ("of peak", lambda v: f"{v:.0%}"),
    "speedup": ("speed-up", lambda v: f"{v:.2f}"),
    "efficiency": ("efficiency", lambda v: f"{v:.0%}"),
    "peak_memory": ("peak MB", lambda v: f"{v / 1e6:,.0f}"),
}
NUMBER = re.compile(r"-|[\d.,]+%?")  # what stands on the right of its column
SHOWN = (1, 2, 4, 8, 16, 32, 64)  # threads of a prediction that are printed; --json has all
BUSY = 0.2  # a spread beyond this is told


def rows(result: Mapping[str, Any]) -> list[list[str]]:
    """All contests: the headings, then a line for each contestant of each case; a dash is what was not measured."""
    contests = result["contests"]
    cases = list(contests[0]["case"])
    keys = [key for key in COLUMNS if any(key in line for contest in contests for line in contest["contestants"])]
    table = [[*cases, "", *(COLUMNS[key][0].format(unit=contests[0]["unit"]) for key in keys)]]
    for contest in contests:
        for line in contest["contestants"]:
            figures = ["-" if line.get(k) is None else COLUMNS[k][1](line[k]) for k in keys]
            table.append([*map(str, contest["case"].values()), line["name"], *figures])
    return table


def absent(result: Mapping[str, Any]) -> list[str]:
    """A sentence for each contestant that did not run, once."""
    lines = [line for contest in result["contests"] for line in contest["contestants"] if line["why"]]
    return list(dict.fromkeys(f"{line['name']} did not run: {line['why']}" for line in lines))


def machine(result: Mapping[str, Any]) -> str:
    """The hardware, in one sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    load = "" if result["load"] is None else f"; load {result['load']} before"
    kernels = f"kernels {result['instruction_set']} ({' '.join(result['cpu_flags'])})"
    return f"{result['cpu']}, {result['threads']} of {result['cpus']} CPUs, {kernels}; {versions}{load}"


def peaks(result: Mapping[str, Any]) -> str:
    """The best products of the run, in one sentence; empty if none were measured."""
    said = [
        f"{precision} {peak['gflop_per_second']:,.0f} GFLOP/s ({peak['by']})"
        if peak["gflop_per_second"]
        else f"{precision} not measured, {peak['why']}"
        for precision, peak in result.get("peaks", {}).items()
    ]
    return "; ".join(said)


def busy(result: Mapping[str, Any]) -> str:
    """A warning if the seconds of some contestant lie far apart; empty otherwise."""
    spreads = [line["spread"] or 0.0 for contest in result["contests"] for line in contest["contestants"]]
    if max(spreads) <= BUSY:
        return ""
    return f"spreads of up to {max(spreads):.0%}: the machine was busy, so measure again on a quiet one before quoting this"


def shape(result: Mapping[str, Any]) -> str:
    s = result["shape"]
    return (
        f"{s['layers']} layers, d_model {s['d_model']}, d_ff {s['d_ff']}, heads {s['heads']}/{s['kv_heads']} of {s['head_dim']}, "
        f"ctx {s['ctx']}, vocab {s['vocab']}"
    )


def predictions(result: Mapping[str, Any]) -> list[list[str]]:
    """Headings and one line of predicted speed-ups; empty if nothing was predicted."""
    chosen = [p for p in result.get("predicted", []) if p["threads"] in SHOWN]
    if not chosen:
        return []
    return [
        ["threads", *(str(p["threads"]) for p in chosen)],
        ["predicted speed-up", *(f"{p['speedup']:.2f}" for p in chosen)],
    ]


def markdown(result: Mapping[str, Any]) -> str:
    """Everything above as Markdown: what the README shows between its markers."""
    parts = []
    for head, *body in filter(None, (rows(result), predictions(result))):
        aligned = ["---:" if NUMBER.fullmatch(cell) else "---" for cell in body[0]]
        parts.append("\n".join("| " + " | ".join(cells) + " |" for cells in (head, aligned, *body)))
    said = [f"Machine: {machine(result)}.", *([f"Model: {shape(result)}."] if result.get("shape") else [])]
    said += [f"Peaks in the same run: {peaks(result)}."] if peaks(result) else []
    said += [f"{line}." for line in absent(result)]
    said += [f"**{busy(result).capitalize()}.**"] if busy(result) else []
    said += [f"Medians of {result['rounds']} rounds in which all took turns; spread is the middle half's width."]
    return "\n\n".join([*parts, "\n".join(said)]) + "\n"


def main() -> None:
    print(markdown(json.loads(Path(sys.argv[1]).read_text())), end="")


if __name__ == "__main__":
    main()
