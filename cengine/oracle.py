"""The same model in PyTorch: the second opinion on gradients, and the opponent in benchmarks. The one file that knows torch.

torch is optional; `available()` says why not. Nothing here is used to train a rung.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cengine.model import Config, decays
from cengine.train import Batch, Optimizer


def available() -> str | None:
    """None if torch can be used, else one sentence why not."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed (pip install 'cktrack[torch]')"
    return None


def version() -> str:
    import torch

    return str(torch.__version__)


def set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


class Model:
    """Parameters and forward pass with torch's own kernels (rms_norm, scaled_dot_product_attention, cross_entropy)."""

    def __init__(
        self, config: Config, weights: Mapping[str, np.ndarray], dtype: str = "float64", autocast: bool = False
    ) -> None:
        """`autocast` computes products in bfloat16, as torch chooses; the parameters keep `dtype`."""
        import torch

        self.config, self.torch, self.autocast = config, torch, autocast
        self.mean_loss: Callable = self._mean_loss  # may be replaced by a compiled one
        kind = getattr(torch, dtype)
        self.parameters = {n: torch.tensor(w, dtype=kind).requires_grad_() for n, w in weights.items()}
        angle = torch.outer(
            torch.arange(config.ctx, dtype=torch.float64),
            config.rope_theta ** (-torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim),
        )
        self.cos, self.sin = (torch.cat([f(angle)] * 2, -1).to(kind) for f in (torch.cos, torch.sin))

    def _norm(self, x, name: str):
        """Over the last size; the gain takes the dtype of x, so that torch uses its fused kernel under autocast too."""
        gain = self.parameters[name].to(x.dtype)
        return self.torch.nn.functional.rms_norm(x, gain.shape, gain, self.config.norm_eps)

    def _rope(self, x, pos):
        half = x.shape[-1] // 2
        turned = self.torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * self.cos[pos][:, None] + turned * self.sin[pos][:, None]

    def logits(self, ids, pos, mask, cache=None):
        """ids, pos [B,T]; mask bool [B,1,T,T] of visible keys, or None for plain causal rows. Returns [B,T,V].

        With a cache, `cache(layer, k, v)` gives all keys and values so far, and only the last token's logits are computed.
        """
        f, c, p = self.torch.nn.functional, self.config, self.parameters
        batch, length = ids.shape
        x = p["model.embed_tokens.weight"][ids]
        for layer in range(c.layers):
            at = f"model.layers.{layer}."
            h = self._norm(x, at + "input_layernorm.weight")
            q, k, v = (
                f.linear(h, p[at + f"self_attn.{n}_proj.weight"]).view(batch, length, -1, c.head_dim).transpose(1, 2)
                for n in "qkv"
            )
            q = self._rope(self._norm(q, at + "self_attn.q_norm.weight"), pos)
            k = self._rope(self._norm(k, at + "self_attn.k_norm.weight"), pos)
            if cache is not None:
                k, v = cache(layer, k, v)
            causal = mask is None and k.shape[2] == length
            o = f.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=True)
            x = x + f.linear(o.transpose(1, 2).reshape(batch, length, -1), p[at + "self_attn.o_proj.weight"])
            h = self._norm(x, at + "post_attention_layernorm.weight")
            m = f.silu(f.linear(h, p[at + "mlp.gate_proj.weight"])) * f.linear(h, p[at + "mlp.up_proj.weight"])
            x = x + f.linear(m, p[at + "mlp.down_proj.weight"])
        x = self._norm(x if cache is None else x[:, -1:], "model.norm.weight")
        return f.linear(x, p["model.embed_tokens.weight" if c.tied else "lm_head.weight"])

    def loss(self, batch: Batch, packed: bool = True):
        """Mean cross-entropy over valid targets."""
        torch = self.torch
        ids, targets, pos = (torch.tensor(a, dtype=torch.long) for a in (batch.ids, batch.targets, batch.pos))
        mask = None
        if packed:
            at = torch.arange(ids.shape[1])
            start = at[None] - pos
            mask = ((at[None, None, :] <= at[None, :, None]) & (at[None, None, :] >= start[:, :, None]))[:, None]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
            return self.mean_loss(ids, targets, pos, mask)

    def _mean_loss(self, ids, targets, pos, mask):
        logits = self.logits(ids, pos, mask)
        return self.torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)

    def gradients(self, batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
        loss = self.loss(batch)
        loss.backward()
        return float(loss.detach()), {n: self.torch.as_tensor(p.grad).numpy() for n, p in self.parameters.items()}

    def optimizer(self, settings: Optimizer, lr: float, fused: bool = False):
        groups = [
            {
                "params": [p for n, p in self.parameters.items() if decays(n) == on],
                "weight_decay": settings.weight_decay * on,
            }
            for on in (True, False)
        ]
        return self.torch.optim.AdamW(
            groups, lr=lr, betas=(settings.beta1, settings.beta2), eps=settings.eps, fused=fused or None
        )

    def step(self, optimizer, window: Sequence[Batch], max_norm: float, packed: bool = True) -> float:
        """One optimizer step over a window of equally weighted batches; returns the last loss."""
        optimizer.zero_grad(set_to_none=True)
        loss = None
        for batch in window:
            loss = self.loss(batch, packed) / len(window)
            loss.backward()
        self.torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), max_norm)
        optimizer.step()
        return float(loss.detach()) * len(window) if loss is not None else float("nan")


class Bench:
    """A training step of the oracle as a unit of work: eager or compiled, in float32 or with bfloat16 autocast."""

    def __init__(
        self,
        config: Config,
        weights: Mapping[str, np.ndarray],
        batch: Batch,
        threads: int,
        settings: Optimizer,
        precision: str = "fp32",
        compiled: bool = False,
    ) -> None:
        set_threads(threads)
        self.model = Model(config, weights, "float32", autocast=precision == "bf16")
        if compiled:
            self.model.torch.compiler.reset()  # or an earlier shape would make this one's sizes variable, and slow
            self.model.mean_loss = self.model.torch.compile(self.model.mean_loss, dynamic=False)
        self.optimizer = self.model.optimizer(settings, 1e-3, fused=True)
        self.batch, self.settings = batch, settings

    def step(self) -> float:
        return self.model.step(self.optimizer, [self.batch], self.settings.max_norm, packed=False)


class Greedy:
    """Greedy decoding with key/value caches, eager float32: prompts of equal length, all of them one batch."""

    def __init__(self, config: Config, weights: Mapping[str, np.ndarray], rows: int, threads: int) -> None:
        set_threads(threads)
        self.model = Model(config, weights, "float32")
        self.caches = self.model.torch.zeros(config.layers, 2, rows, config.kv_heads, config.ctx, config.head_dim)

    def generate(self, prompts: Sequence[Sequence[int]], new: int) -> np.ndarray:
        """Ids [rows, new] that follow the prompts."""
        torch = self.model.torch
        ids, out, at = torch.tensor(prompts), [], 0

        def cached(layer: int, k, v):
            end = at + k.shape[2]
            self.caches[layer, 0, :, :, at:end], self.caches[layer, 1, :, :, at:end] = k, v
            return self.caches[layer, 0, :, :, :end], self.caches[layer, 1, :, :, :end]

        with torch.inference_mode():
            for _ in range(new):
                pos = torch.arange(at, at + ids.shape[1]).expand(ids.shape)
                logits = self.model.logits(ids, pos, None, cached)
                at += ids.shape[1]
                ids = logits[:, -1].argmax(-1, keepdim=True)
                out.append(ids)
        return torch.cat(out, 1).numpy()


def product(kind: str, tokens: int, inputs: int, outputs: int, dtype: str) -> Callable[[], object]:
    """torch.mm into memory that is there: forward x w^T, dx = dy w, dw = dy^T x of a linear layer over `tokens` rows."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x, w, dy = (
        torch.randn(shape, generator=generator).to(getattr(torch, dtype))
        for shape in ((tokens, inputs), (outputs, inputs), (tokens, outputs))
    )
    a, b = {"forward": (x, w.t()), "dx": (dy, w), "dw": (dy.t(), x)}[kind]
    out = torch.empty(a.shape[0], b.shape[1], dtype=a.dtype)
    return lambda: torch.mm(a, b, out=out)
