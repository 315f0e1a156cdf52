"""YAML documents as this package reads them: safely, as one mapping, and no key written twice.

Plain YAML keeps the last of two equal keys, so that a line which nobody sees would decide. What a document means is checked
by whoever reads it.
"""

from __future__ import annotations

from typing import Any

import yaml


class DocumentError(ValueError):
    """A text that is no such document; the message has the line where there is one, not the file's name."""


class UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key written twice."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise DocumentError(
                    f"line {key.start_mark.line + 1}: got the key `{key.value}` twice, expected each key once; remove one"
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node


def read(text: str) -> dict[str, Any]:
    """The mapping of a YAML text. Raises DocumentError for a syntax error, a key written twice, or anything but a mapping."""
    try:
        data = yaml.load(text, Loader=UniqueKeys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(f"line {mark.line + 1 if mark else '?'}: {error.problem}; expected YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"{' '.join(str(error).split())}; expected YAML") from error
    if not isinstance(data, dict):
        got = "nothing" if data is None else f"a {type(data).__name__}"
        raise DocumentError(f"got {got}, expected a mapping of keys to values")
    return data
