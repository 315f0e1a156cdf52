"""Options that several commands of the command line share, with the checks that refuse a wrong value at once."""

from __future__ import annotations

from typing import Annotated

import typer


def _threads(value: int) -> int:
    """Held to the engine's rule at once, with what CKTRACK_THREADS says where the option says nothing."""
    from cengine import loader

    loader.thread_count(value or None)
    return value


Json = Annotated[bool, typer.Option("--json", help="print one JSON document on standard output")]
Threads = Annotated[
    int, typer.Option(help="threads; 0 takes every CPU. Results do not depend on it", callback=_threads)
]
