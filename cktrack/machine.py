"""The machine that figures come from: its name, what its processor can do, how busy it is, and how fast it multiplies at best."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLAGS = re.split(  # what decides how fast these kernels and their opponents can be
    r"\s+",
    "avx avx2 fma f16c avx_vnni avx512f avx512bw avx512dq avx512vl avx512_vnni avx512_bf16 avx512_fp16 amx_tile amx_bf16 amx_int8 "
    "asimd asimddp asimdhp sve sve2 bf16 i8mm",
)
SIZES, TRIES = (512, 1024, 2048), 12  # square products that the peak is looked for in, and how often each is tried
FACTS = ("cpu", "cpus", "threads", "cpu_flags", "instruction_set", "instruction_sets", "system", "load", "versions")
Peaks = dict[str, dict[str, Any]]


def _cpuinfo(*keys: str) -> str:
    """The first value of one of these keys in /proc/cpuinfo; empty where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in keys:
                return value.strip()
    except OSError:
        pass
    return ""


def cpu() -> str:
    """The processor's name, where the system tells it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def flags() -> list[str]:
    """The processor's flags that matter here; empty where the system does not tell."""
    has = set(_cpuinfo("flags", "Features").split())
    return [flag for flag in FLAGS if flag in has]


def lacks_bf16() -> str | None:
    """None if the processor multiplies bfloat16 itself, else one sentence."""
    if {"amx_bf16", "avx512_bf16", "bf16"} & set(flags()):
        return None
    return "this processor has no bfloat16 products (amx_bf16, avx512_bf16, bf16): it would only imitate them"


def facts(threads: int, torch: bool) -> dict[str, Any]:
    """What names the machine in a result, by the keys of FACTS. `load` is how many processes wanted to run in the last minute."""
    import numpy as np

    from cengine import loader, oracle

    with_torch = torch and oracle.available() is None
    return {
        "cpu": cpu(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": threads,
        "cpu_flags": flags(),
        "instruction_set": loader.current(),
        "instruction_sets": loader.available(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": oracle.version() if with_torch else None,
            "engine": loader.fingerprint()[:12],
        },
    }


def peaks(threads: int, torch: bool, before: Peaks | None = None) -> Peaks:
    """The best square product of this machine by precision, in GFLOP/s, and whose it was; `before` is an earlier answer to better."""
    from cktrack.contest import Absent, reason
    from cktrack.product import makers

    found: Peaks = {}
    for precision in ("fp32", "bf16"):
        best: dict[str, Any] = {"gflop_per_second": None, "by": None, "why": None}
        best.update((before or {}).get(precision, {}))
        for side, make in makers(precision, threads, torch).items():
            try:
                tried = [(2e-9 * n**3 / _best(make("forward", 1, n, n, n)), f"{side} {n}x{n}") for n in SIZES]
            except Absent as error:
                best["why"] = best["why"] or reason(error)
                continue
            top, by = max(tried)
            if best["gflop_per_second"] is None or top > best["gflop_per_second"]:
                best.update(gflop_per_second=top, by=by)
        if best["gflop_per_second"] is not None:
            best["why"] = None
        found[precision] = best
    return found


def _best(unit: Callable[[], object]) -> float:
    """The shortest of some tries, in seconds."""
    seconds = []
    for _ in range(TRIES):
        before = time.perf_counter()
        unit()
        seconds.append(time.perf_counter() - before)
    return min(seconds)


def peak_memory() -> int:
    """The most memory that this process has held, in bytes. Linux's own count is of this program alone; getrusage's, which is taken
    elsewhere, may begin with that of the process that started it."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else most * 1024
