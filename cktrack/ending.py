"""How a process is told to end: SIGTERM as an exception, and a driver that is gone as a SIGTERM.

Light on purpose: the command line imports it before anything heavy.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SHELLS = ("bash", "sh", "dash", "zsh")
SECONDS = 1.0  # between two looks at the driver


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt, no handler for ordinary errors catches it."""


@contextmanager
def terminable() -> Iterator[None]:
    """Inside the block SIGTERM raises Terminated, so that `with` blocks end as they should. Only the main thread can ask for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside the block SIGTERM and Ctrl-C do nothing: what says how a run ended is written to its end. Only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def driver() -> tuple[int, ...]:
    """Process ids of who began this one: its parent and, behind a shell, the shell's parent. Another answer means that one of them died.

    Behind a shell only where `/proc` tells it (Linux); elsewhere the parent alone is known.
    """
    parent = os.getppid()
    name, above = _named(parent)
    return (parent, above) if name in SHELLS else (parent,)


def _named(pid: int) -> tuple[str, int]:
    """Name and parent of a process; nothing where the system does not tell."""
    try:
        head, _, tail = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return "", 0
    return head.partition("(")[2], int(tail.split()[1])


@contextmanager
def ended_with_driver(seconds: float = SECONDS) -> Iterator[None]:
    """Inside the block this process gets SIGTERM when its driver is gone: nobody waits for it, and nobody could stop it any more.

    Not under `nohup` (SIGHUP ignored), which asks to be left behind.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return
    began, over = driver(), threading.Event()

    def watch() -> None:
        while not over.wait(seconds):
            if driver() != began:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
