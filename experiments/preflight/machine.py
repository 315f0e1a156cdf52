"""Checks on the machine that would train: memory, disk, and an engine that computes this shape right."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cengine import parity
from cengine.decode import CHUNK
from cengine.engine import Pool
from cengine.model import Config, decoding_graph
from cengine.plan import abreast
from cengine.plan import place as lay
from cengine.train import part_of, window_of
from experiments.preflight import Finding, Place, check, judge
from experiments.prepared import Prepared

PROBED = 64  # texts that are decoded at a time
DECODERS = 2  # the one that is probed, and beside it one that was never asked before
BESIDE = 256e6  # bytes for Python, rows and pictures
COPIES = 4  # of a checkpoint at most: two unfinished ones, the run's, and MLflow's
WRITTEN = 8  # bytes on disk for a byte of rows: text, tables, outputs with their pictures, and MLflow's copies


def free_memory() -> int | None:
    """Bytes that a new process could have without pushing others out, or else all that the machine has; None where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def free_disk(folder: Path) -> int:
    """Bytes that are free where a folder is, or would be made."""
    there = next(p for p in (folder.resolve(), *folder.resolve().parents) if p.exists())
    return shutil.disk_usage(there).free


@check()
def memory(prepared: Prepared, place: Place) -> Finding:
    """The arenas of training and probing, as planned, fit into free memory, and so do the references that gradients are held against."""
    rung = prepared.selected.rung
    return room(prepared.config, rung.rows, prepared.config.ctx, rung.precision, place.threads)


def room(
    config: Config, rows: int, time: int, precision: str, threads: int | None, decoders: int = DECODERS
) -> Finding:
    """Whether free memory holds training with batches [rows, time], and so many decoders beside it."""
    window = window_of(config, part_of(rows, time, Pool(threads).threads), time, precision, rows)
    training = lay(window.graph, window.calls).bytes
    graph = decoding_graph(config, CHUNK + PROBED, PROBED, "fp32")
    probing = decoders * lay(graph, [*graph.prepare, *graph.calls], abreast).bytes
    proving = parity.memory(config)
    need, free = max(training + probing, proving) + BESIDE, free_memory()
    got = f"{need / 1e6:,.0f} MB (training {training / 1e6:,.0f}, probing {probing / 1e6:,.0f}; before that parity {proving / 1e6:,.0f})"
    facts = {"training": training, "probing": probing, "proving": proving, "free": free}
    if free is None:
        return Finding("NOT_RUN", f"{got}; this system does not tell how much is free", "free memory", facts)
    return judge(need <= free, got, f"at most the {free / 1e6:,.0f} MB that are free", **facts)


@check()
def disk(prepared: Prepared, place: Place) -> Finding:
    """Checkpoints with their moments, rows and pictures fit on the disk where runs are kept."""
    state = 3 * 4 * prepared.config.parameter_count()
    text = sum(len(t) + 1 for t in [*prepared.material.training, *prepared.texts])
    need, free = COPIES * state + WRITTEN * text, free_disk(place.folder)
    got = f"{need / 1e6:,.0f} MB ({COPIES} checkpoints of {state / 1e6:,.0f})"
    return judge(need <= free, got, f"at most the {free / 1e6:,.0f} MB that are free", need=need, free=free)


@check("run")
def gradients(prepared: Prepared, place: Place) -> Finding:
    """Every gradient tensor and ten optimizer steps at this shape equal the float64 references."""
    precision = prepared.selected.rung.precision
    report = (
        parity.cached(prepared.config, place.parity, place.torch, precision=precision)
        if place.parity
        else parity.run(prepared.config, torch=place.torch, precision=precision)
    )
    ran = [c for c in report["checks"] if c["value"] is not None]
    worst = max(ran, key=lambda c: c["value"] / c["bound"])
    got = f"{worst['check']} against {worst['against']}: {worst['value']:.1e}, bound {worst['bound']:.0e}"
    return judge(report["passed"] is True, got, "every comparison within its bound", checks=len(ran))
