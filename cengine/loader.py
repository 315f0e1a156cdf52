"""Load the compiled engine and choose its instruction set. The one file besides `build.py` that touches cffi.

`CKTRACK_ISA` (portable, avx2, avx512) overrides the choice; `CKTRACK_THREADS` sets the number of threads; `CKTRACK_GUARD=1` has every
kernel call checked for writes outside its tensors.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

try:
    from cengine._engine import __file__ as engine_file
    from cengine._engine import ffi, lib
except ImportError as error:  # pragma: no cover - needs a tree without a built engine
    raise ImportError(
        "the C engine is not built for this Python; run `python -m cengine.build` (needs a C compiler), or install a wheel"
    ) from error

INSTRUCTION_SETS = ("portable", "avx2", "avx512")  # slowest first
PRECISIONS = ("fp32", "bf16")  # of the operands of matrix products


def available() -> list[str]:
    """Instruction sets that this CPU and this build have, slowest first."""
    return [name for name in INSTRUCTION_SETS if lib.ck_kernels(name.encode()) >= 0]


_chosen: dict[str, str] = {}  # precision -> instruction set of its kernels


@cache
def _table(name: str) -> int:
    """The number of a kernel table, or -1; asked once, because asking the CPU is slow under virtualisation."""
    return int(lib.ck_kernels(name.encode()))


def choose(name: str | None = None) -> str:
    """Select an instruction set for the whole process: the named one, CKTRACK_ISA's, or the best there is. Returns its name."""
    wanted = name or os.environ.get("CKTRACK_ISA") or available()[-1]
    if wanted not in available():
        raise ValueError(f"instruction set: got {wanted!r}; expected one of {available()} on this CPU")
    _chosen["fp32"] = wanted
    return wanted


def current() -> str:
    return _chosen["fp32"]


def why_not(precision: str) -> str | None:
    """None if products can be computed in this precision here, else one sentence why not."""
    if precision not in PRECISIONS:
        return f"precision: got {precision!r}; expected one of {list(PRECISIONS)}"
    if precision == "bf16" and (current() != "avx512" or _table("amx") < 0):
        return (
            "precision bf16 needs a CPU with AMX, a system that allows it and the avx512 instruction set; use fp32 here"
        )
    return None


def kernels(precision: str = "fp32") -> int:
    """The kernel table of a precision; raises ValueError with the reason if there is none here."""
    reason = why_not(precision)
    if reason:
        raise ValueError(reason)
    return _table("amx" if precision == "bf16" else current())


def fingerprint() -> str:
    """sha256 of the sources the loaded engine was built from."""
    return ffi.string(lib.ck_fingerprint()).decode()


@cache
def binary() -> str:
    """sha256 of the compiled engine itself: another compiler or other flags give another one."""
    return hashlib.sha256(Path(engine_file).read_bytes()).hexdigest()


def thread_count(threads: int | None = None) -> int:
    """The asked number of threads, CKTRACK_THREADS, or the CPUs this process may use. Raises ValueError for any that cannot be."""
    if threads is None:
        given = os.environ.get("CKTRACK_THREADS", "").strip()
        named, asked = f"CKTRACK_THREADS: got {given!r}", int(given) if given.isdecimal() else 0 if not given else -1
    else:
        named, asked = f"threads: got {threads}", threads
    if not 0 <= asked <= 256:
        raise ValueError(f"{named}; expected 1 to 256, or 0 for all CPUs")
    return asked or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else asked or os.cpu_count() or 1


def guarded(asked: bool | None = None) -> bool:
    """Whether every kernel call is checked: as asked, or else as CKTRACK_GUARD says. Raises ValueError for what is neither yes nor no."""
    given = os.environ.get("CKTRACK_GUARD", "").strip()
    if asked is None and given not in ("", "0", "1"):
        raise ValueError(f"CKTRACK_GUARD: got {given!r}; expected 1 to check every kernel call, or 0")
    return given == "1" if asked is None else asked


def _check_current() -> None:
    """Refuse a library older than the sources beside it; skipped where the sources are not installed."""
    if not (Path(__file__).parent / "c" / "pool.c").exists():
        return
    from cengine.source import fingerprint as of_sources

    if of_sources() != fingerprint():
        raise ImportError("the C engine is older than its sources; run `python -m cengine.build`")


_check_current()
choose()
