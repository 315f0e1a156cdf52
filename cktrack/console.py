"""The console of the command line: rich's, with text as it is."""

from __future__ import annotations

from typing import Any

import rich.console


class Console(rich.console.Console):
    """What users wrote is shown as they wrote it: `a:key:b` is no picture of a key."""

    def __init__(self, **options: Any) -> None:
        super().__init__(emoji=False, **options)
