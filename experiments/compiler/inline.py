"""Words that a scene brings along become its content document, made readable: capitals, acronyms and units that `_` flattened.

Only how words are written changes, never which. It knows neither a surface nor a component kind.
"""

from __future__ import annotations

from typing import Any

_SPELLED = """AI API AVX BF16 CI CPU CSV DB DNS DSL FLOPs FP16 FP32 GPU HTML HTTP INT4 INT8 IO IR JSON KV LLM ML NUMA PCIe PDF RAM RDMA
RPC SFT SIMD SQL SSD SVG TCP TLS TPU UI URL XML YAML"""
ACRONYMS = {word.lower(): word for word in _SPELLED.split()}
PER = ("s", "sec", "token", "step")
UNITS = ("B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "Gb", "tokens", "rows", "FLOP", "GFLOP", "TFLOP")


def document(words: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """`{kind: [{field: words}, ...]}` from (`kind.position.field`, words) pairs."""
    found: dict[str, dict[int, dict[str, str]]] = {}
    for path, text in words:
        kind, number, slot = path.split(".")
        found.setdefault(kind, {}).setdefault(int(number), {})[slot] = humanise(text)
    return {kind: [entries.get(i, {}) for i in range(max(entries) + 1)] for kind, entries in found.items()}


def humanise(text: str) -> str:
    """A text as a reader sees it: a capital first, acronyms in capitals, `GB s` as `GB/s`."""
    words = [ACRONYMS.get(word, word) for word in text.split(" ")]
    for i in range(len(words) - 1, 0, -1):
        if words[i] in PER and words[i - 1] in UNITS:
            words[i - 1 : i + 1] = [f"{words[i - 1]}/{words[i]}"]
    if words[0].isalpha() and words[0].islower():
        words[0] = words[0][0].upper() + words[0][1:]
    return " ".join(words)
