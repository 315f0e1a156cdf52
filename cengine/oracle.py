"""The same model in PyTorch: the second opinion on gradients, and the opponent in benchmarks. The one file that knows torch.

torch is optional; `available()` says why not. Nothing here is used to train a rung.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence

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

    def __init__(self, config: Config, weights: Mapping[str, np.ndarray], dtype: str = "float64") -> None:
        import torch

        self.config, self.torch = config, torch
        kind = getattr(torch, dtype)
        self.parameters = {n: torch.tensor(w, dtype=kind).requires_grad_() for n, w in weights.items()}
        angle = torch.outer(
            torch.arange(config.ctx, dtype=torch.float64),
            config.rope_theta ** (-torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim),
        )
        self.cos, self.sin = (torch.cat([f(angle)] * 2, -1).to(kind) for f in (torch.cos, torch.sin))

    def _rope(self, x, pos):
        half = x.shape[-1] // 2
        turned = self.torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * self.cos[pos][:, None] + turned * self.sin[pos][:, None]

    def logits(self, ids, pos, mask):
        """ids, pos [B,T]; mask bool [B,1,T,T] of visible keys, or None for plain causal rows. Returns [B,T,V]."""
        f, c, p = self.torch.nn.functional, self.config, self.parameters
        batch, length = ids.shape
        x = p["model.embed_tokens.weight"][ids]
        for layer in range(c.layers):
            at = f"model.layers.{layer}."
            h = f.rms_norm(x, (c.d_model,), p[at + "input_layernorm.weight"], c.norm_eps)
            q, k, v = (
                f.linear(h, p[at + f"self_attn.{n}_proj.weight"]).view(batch, length, -1, c.head_dim).transpose(1, 2)
                for n in "qkv"
            )
            q = self._rope(f.rms_norm(q, (c.head_dim,), p[at + "self_attn.q_norm.weight"], c.norm_eps), pos)
            k = self._rope(f.rms_norm(k, (c.head_dim,), p[at + "self_attn.k_norm.weight"], c.norm_eps), pos)
            o = f.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=True)
            x = x + f.linear(o.transpose(1, 2).reshape(batch, length, -1), p[at + "self_attn.o_proj.weight"])
            h = f.rms_norm(x, (c.d_model,), p[at + "post_attention_layernorm.weight"], c.norm_eps)
            m = f.silu(f.linear(h, p[at + "mlp.gate_proj.weight"])) * f.linear(h, p[at + "mlp.up_proj.weight"])
            x = x + f.linear(m, p[at + "mlp.down_proj.weight"])
        x = f.rms_norm(x, (c.d_model,), p["model.norm.weight"], c.norm_eps)
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
        logits = self.logits(ids, pos, mask)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)

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
    """A float32 training step of the oracle, timed: what `cktrack bench train --against torch` runs."""

    def __init__(
        self, config: Config, weights: Mapping[str, np.ndarray], batch: Batch, threads: int, settings: Optimizer
    ) -> None:
        set_threads(threads)
        self.model = Model(config, weights, "float32")
        self.optimizer = self.model.optimizer(settings, 1e-3, fused=True)
        self.batch, self.settings = batch, settings

    def seconds(self) -> float:
        before = time.perf_counter()
        self.model.step(self.optimizer, [self.batch], self.settings.max_norm, packed=False)
        return time.perf_counter() - before
