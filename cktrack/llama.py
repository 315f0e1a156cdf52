"""llama.cpp through the package llama-cpp-python, where it is installed: the opponent in `bench decode`, and the reader that exported GGUF
files are proven with. The one file that knows that package. Weights, caches and sums are float32, as ours are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

F32 = 0  # of ggml's types
PLAIN = 0  # attention in float32: the other kind takes halves in between, and differs by 1e-3


def available() -> str | None:
    """None if llama.cpp can be asked, else one sentence why not."""
    if importlib.util.find_spec("llama_cpp") is None:
        return "llama-cpp-python is not installed (pip install llama-cpp-python)"
    return None


def version() -> str | None:
    if available():
        return None
    import llama_cpp

    return str(llama_cpp.__version__)


class Greedy:
    """Greedy decoding of a GGUF file: up to `rows` prompts of equal length at once, all of them one batch."""

    def __init__(self, path: Path, rows: int, ctx: int, threads: int) -> None:
        import llama_cpp

        self.lib, self.rows = llama_cpp, rows
        self._quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self._quiet, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp does not load {path.name}")
        asked = llama_cpp.llama_context_default_params()
        asked.n_ctx, asked.n_seq_max, asked.n_threads, asked.n_threads_batch = rows * ctx, rows, threads, threads
        asked.n_batch, asked.type_k, asked.type_v, asked.no_perf = rows * ctx, F32, F32, True
        asked.flash_attn_type = PLAIN
        self.context = llama_cpp.llama_init_from_model(self.model, asked)
        if not self.context:
            raise RuntimeError(f"llama.cpp cannot take {rows} texts of {ctx} tokens at once")
        self.vocab = int(llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model)))
        self.batch = llama_cpp.llama_batch_init(rows * ctx, 0, 1)

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text, tags of the language as one token each."""
        data, vocab = text.encode(), self.lib.llama_model_get_vocab(self.model)
        out = (self.lib.llama_token * (len(data) + 8))()
        count = self.lib.llama_tokenize(vocab, data, len(data), out, len(out), False, True)
        return list(out[:count])

    def feed(self, ids: np.ndarray, at: int) -> np.ndarray:
        """Feed ids [rows, n] at positions at..; logits [rows, vocab] behind the last of each."""
        rows, n = ids.shape
        batch: Any = self.batch
        batch.n_tokens = rows * n
        _view(batch.token, rows * n)[:] = ids.reshape(-1)
        _view(batch.pos, rows * n)[:] = np.tile(np.arange(at, at + n), rows)
        _view(batch.n_seq_id, rows * n)[:] = 1
        said = np.ctypeslib.as_array(batch.logits, (rows * n,))
        said[:], said[n - 1 :: n] = 0, 1
        for i in range(rows * n if at == 0 or n > 1 else rows):
            batch.seq_id[i][0] = i // n
        if self.lib.llama_decode(self.context, batch):
            raise RuntimeError("llama.cpp refused a batch")
        return np.ctypeslib.as_array(self.lib.llama_get_logits(self.context), (rows, self.vocab))

    def generate(self, prompts: Sequence[Sequence[int]], new: int) -> np.ndarray:
        """Ids [rows, new] that follow the prompts."""
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        ids, at, out = np.asarray(prompts, np.int32), 0, []
        for _ in range(new):
            logits = self.feed(ids, at)
            at += ids.shape[1]
            ids = logits.argmax(1).astype(np.int32)[:, None]
            out.append(ids)
        return np.concatenate(out, 1)

    def __del__(self) -> None:
        lib = getattr(self, "lib", None)
        if lib and getattr(self, "context", None):
            lib.llama_free(self.context)
        if lib and getattr(self, "model", None):
            lib.llama_model_free(self.model)


def _view(pointer: Any, count: int) -> np.ndarray:
    return np.ctypeslib.as_array(pointer, (count,))
