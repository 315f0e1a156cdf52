"""The registry's commands: who asks to be champion, who is, and how to go back. `promote.py` does the work."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cktrack.console import Console
from cktrack.option import Json

Name = Annotated[str, typer.Argument(help="registered model, named after its contract")]
console = Console(stderr=True)


def promote(
    name: Name,
    version: Annotated[str, typer.Argument(help="version that asks to become champion")],
    reason: Annotated[str, typer.Option(help="why, for the journal")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="judge, but change and record nothing")] = False,
    new_contract: Annotated[
        bool, typer.Option("--new-contract", help="the contract was changed on purpose; recorded in the event")
    ] = False,
    across: Annotated[
        bool,
        typer.Option(
            "--across", help="compare with a champion of another instruction set or precision; recorded in the event"
        ),
    ] = False,
    json_: Json = False,
) -> None:
    """Judge a version against its gates and the champion; set the alias or refuse with reasons. Exits 3 if refused."""
    from cktrack.store import open_store

    settle(open_store(), name, version, reason, dry_run, json_, new_contract, across)


def settle(
    store: Any,
    name: str,
    version: str,
    reason: str,
    dry_run: bool,
    json_: bool,
    new_contract: bool = False,
    across: bool = False,
) -> None:
    """Judge, and print what came of it."""
    from cktrack import show
    from cktrack.promote import history
    from cktrack.promote import promote as judge

    champion = history(store, name)[0].version
    event = judge(store, name, version, reason, dry_run, new_contract, across)
    if champion == version:
        console.print(f"{name} version {version} holds the champion alias already; nothing was judged", highlight=False)
    if json_:
        show.document(event.plain())
    elif champion != version:
        show.verdicts(event)
    if event.kind == "refused":
        raise typer.Exit(3)


def rollback(
    name: Name,
    to: Annotated[str, typer.Option(help="former champion version; the previous one by default")] = "",
    reason: Annotated[str, typer.Option(help="why, for the journal")] = "",
) -> None:
    """Give the alias back to a former champion, after checking that its files are whole."""
    from cktrack.promote import rollback as give_back
    from cktrack.store import open_store

    Console().print(give_back(open_store(), name, to or None, reason).sentence, highlight=False)


def champion(name: Name, json_: Json = False) -> None:
    """Who holds the alias, and the journal of how it came to be."""
    from cktrack import show
    from cktrack.promote import history
    from cktrack.store import open_store

    state, alias = history(open_store(), name)
    if json_:
        show.document({"champion": state.version, "alias": alias, "events": [e.plain() for e in state.history]})
        return
    moved = (
        ""
        if alias == state.version
        else f" (but the alias points at {alias}: it was moved outside of cktrack; see `cktrack repair`)"
    )
    holder = f"version {state.version}" if state.version else "nobody"
    Console().print(f"champion of {name}: {holder}{moved}", highlight=False, soft_wrap=True)
    for event in state.history:
        Console().print(f"  {event.sentence}", highlight=False, soft_wrap=True)


def repair(name: Name) -> None:
    """Set the aliases of a model back to what its journal says."""
    from cktrack.promote import repair as set_back
    from cktrack.store import open_store

    state = set_back(open_store(), name)
    console.print(
        f"{name}: champion is {'version ' + state.version if state.version else 'nobody'}, as the journal says",
        highlight=False,
    )
