"""The model and its gradients once more, in plain float64 NumPy, derived by hand: what the engine is judged by.

It shares nothing with the engine's graph, its backward derivation or its op table, so that a mistake in any of them shows.
Shapes as in the comments; N = batch * time. Slow and clear on purpose; never used to train.
"""

from __future__ import annotations

import numpy as np

from cengine.model import Config

Arrays = dict[str, np.ndarray]


def _norm(x, w, eps):
    r = 1.0 / np.sqrt(np.mean(np.square(x), -1, keepdims=True) + eps)
    return x * r * w, r


def _norm_back(dy, x, w, r):
    """Gradients of y = x r w for the input and, summed over all but the last axis, for the gain."""
    dn = dy * w
    n = x * r
    dx = r * (dn - n * np.mean(dn * n, -1, keepdims=True))
    return dx, np.sum((dy * n).reshape(-1, x.shape[-1]), 0)


def _rotate(x, angle):
    half = x.shape[-1] // 2
    z = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angle)[:, :, None, :]
    return np.concatenate([z.real, z.imag], -1)


def _attend(q, k, v, visible, scale):
    """q [B,T,H,D], k and v already repeated to H heads. Returns output and probabilities [B,H,T,T]."""
    s = np.matmul(q.transpose(0, 2, 1, 3), k.transpose(0, 2, 3, 1)) * scale
    s = np.where(visible[:, None], s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return np.matmul(p, v.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3), p


def _head(config: Config) -> str:
    return "model.embed_tokens.weight" if config.tied else "lm_head.weight"


def _forward(config: Config, w: Arrays, ids: np.ndarray, pos: np.ndarray):
    """Logits [B,T,V], and what the backward needs again."""
    batch, time = ids.shape
    heads, groups, size, share = config.heads, config.kv_heads, config.head_dim, config.heads // config.kv_heads
    at = np.arange(time)
    row = np.cumsum(pos == 0, 1)  # number of the packed row each token belongs to
    visible = (row[:, :, None] == row[:, None, :]) & (at[None, :, None] >= at[None, None, :])
    angle = pos[:, :, None] * config.rope_theta ** (-np.arange(size // 2) / (size // 2))
    x = w["model.embed_tokens.weight"][ids]
    kept = []
    for layer in range(config.layers):
        p = f"model.layers.{layer}."
        x0 = x
        h, r0 = _norm(x0, w[p + "input_layernorm.weight"], config.norm_eps)
        q0 = (h @ w[p + "self_attn.q_proj.weight"].T).reshape(batch, time, heads, size)
        k0 = (h @ w[p + "self_attn.k_proj.weight"].T).reshape(batch, time, groups, size)
        v = (h @ w[p + "self_attn.v_proj.weight"].T).reshape(batch, time, groups, size)
        qn, rq = _norm(q0, w[p + "self_attn.q_norm.weight"], config.norm_eps)
        kn, rk = _norm(k0, w[p + "self_attn.k_norm.weight"], config.norm_eps)
        q, k = _rotate(qn, angle), np.repeat(_rotate(kn, angle), share, 2)
        vv = np.repeat(v, share, 2)
        o, prob = _attend(q, k, vv, visible, size**-0.5)
        o = o.reshape(batch, time, heads * size)
        x1 = x0 + o @ w[p + "self_attn.o_proj.weight"].T
        h2, r1 = _norm(x1, w[p + "post_attention_layernorm.weight"], config.norm_eps)
        gate, up = h2 @ w[p + "mlp.gate_proj.weight"].T, h2 @ w[p + "mlp.up_proj.weight"].T
        sig = 1.0 / (1.0 + np.exp(-gate))
        m = gate * sig * up
        x = x1 + m @ w[p + "mlp.down_proj.weight"].T
        kept.append((x0, h, r0, q0, k0, rq, rk, q, k, vv, prob, o, x1, h2, r1, gate, up, sig, m))
    xf, rf = _norm(x, w["model.norm.weight"], config.norm_eps)
    logits = xf @ w[_head(config)].T
    return logits, (x, xf, rf, angle, kept)


def logits(config: Config, weights: Arrays, ids: np.ndarray, pos: np.ndarray) -> np.ndarray:
    """Logits [B,T,V] in float64 of tokens ids [B,T] at positions pos [B,T] (0 begins a packed row)."""
    return _forward(config, {n: np.asarray(v, np.float64) for n, v in weights.items()}, ids, pos)[0]


def loss_and_gradients(
    config: Config, weights: Arrays, ids: np.ndarray, targets: np.ndarray, pos: np.ndarray, scale: float | None = None
):
    """(mean loss in nats over valid targets, gradients by parameter name), all float64.

    ids, targets, pos: int [B, T]; negative targets are ignored; pos restarts at 0 with each packed row.
    scale: weight of one target (default 1 / valid targets).
    """
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    batch, time = ids.shape
    heads, groups, size, share = config.heads, config.kv_heads, config.head_dim, config.heads // config.kv_heads
    valid = targets >= 0
    scale = 1.0 / valid.sum() if scale is None else scale
    head = _head(config)
    logits, (x, xf, rf, angle, kept) = _forward(config, w, ids, pos)
    logits -= logits.max(-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    picked = np.take_along_axis(log_p, np.where(valid, targets, 0)[..., None], -1)[..., 0]
    loss = -np.sum(picked * valid) * scale

    g = {name: np.zeros_like(value) for name, value in w.items()}
    d_logits = np.exp(log_p)
    np.subtract.at(d_logits, (*np.nonzero(valid), targets[valid]), 1.0)
    d_logits *= scale * valid[..., None]

    def outer(dy, value):  # sum over tokens of dy^T value
        return dy.reshape(-1, dy.shape[-1]).T @ value.reshape(-1, value.shape[-1])

    g[head] += outer(d_logits, xf)
    dx, g["model.norm.weight"] = _norm_back(d_logits @ w[head], x, w["model.norm.weight"], rf)
    for layer in reversed(range(config.layers)):
        p = f"model.layers.{layer}."
        x0, h, r0, q0, k0, rq, rk, q, k, vv, prob, o, x1, h2, r1, gate, up, sig, m = kept[layer]
        g[p + "mlp.down_proj.weight"] = outer(dx, m)
        dm = dx @ w[p + "mlp.down_proj.weight"]
        d_gate, d_up = dm * up * (sig + gate * sig * (1.0 - sig)), dm * gate * sig
        g[p + "mlp.gate_proj.weight"], g[p + "mlp.up_proj.weight"] = outer(d_gate, h2), outer(d_up, h2)
        dh2 = d_gate @ w[p + "mlp.gate_proj.weight"] + d_up @ w[p + "mlp.up_proj.weight"]
        back, g[p + "post_attention_layernorm.weight"] = _norm_back(
            dh2, x1, w[p + "post_attention_layernorm.weight"], r1
        )
        dx1 = dx + back
        g[p + "self_attn.o_proj.weight"] = outer(dx1, o)
        do = (dx1 @ w[p + "self_attn.o_proj.weight"]).reshape(batch, time, heads, size).transpose(0, 2, 1, 3)
        dp = np.matmul(do, vv.transpose(0, 2, 3, 1))
        ds = prob * (dp - np.sum(dp * prob, -1, keepdims=True)) * size**-0.5
        dq = np.matmul(ds, k.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)

        def grouped(t):  # [B,H,T,D] to [B,T,G,D], heads that share a group summed
            return t.transpose(0, 2, 1, 3).reshape(batch, time, groups, share, size).sum(3)

        dk = grouped(np.matmul(ds.transpose(0, 1, 3, 2), q.transpose(0, 2, 1, 3)))
        dv = grouped(np.matmul(prob.transpose(0, 1, 3, 2), do))
        dq0, g[p + "self_attn.q_norm.weight"] = _norm_back(
            _rotate(dq, -angle), q0, w[p + "self_attn.q_norm.weight"], rq
        )
        dk0, g[p + "self_attn.k_norm.weight"] = _norm_back(
            _rotate(dk, -angle), k0, w[p + "self_attn.k_norm.weight"], rk
        )
        dh = np.zeros_like(h)
        for name, d in (("q", dq0), ("k", dk0), ("v", dv)):
            flat = d.reshape(batch, time, -1)
            g[p + f"self_attn.{name}_proj.weight"] = outer(flat, h)
            dh += flat @ w[p + f"self_attn.{name}_proj.weight"]
        back, g[p + "input_layernorm.weight"] = _norm_back(dh, x0, w[p + "input_layernorm.weight"], r0)
        dx = dx1 + back
    np.add.at(g["model.embed_tokens.weight"], ids, dx)
    return float(loss), g


def adamw(weights: Arrays, gradients: Arrays, moments: Arrays, step: int, lr: float, optimizer, decays) -> None:
    """One AdamW step in place, step counted from 1, with global-norm clipping (the engine's `adamw` op in float64)."""
    norm = np.sqrt(sum(float(np.sum(np.square(g))) for g in gradients.values()))
    clip = optimizer.max_norm / (norm + 1e-6) if optimizer.max_norm and norm > optimizer.max_norm else 1.0
    for name, g in gradients.items():
        m, v = (moments.setdefault(f"{k}_{name}", np.zeros_like(g)) for k in "mv")
        m += (1.0 - optimizer.beta1) * (g * clip - m)
        v += (1.0 - optimizer.beta2) * (np.square(g * clip) - v)
        update = m / (1.0 - optimizer.beta1**step) / (np.sqrt(v / (1.0 - optimizer.beta2**step)) + optimizer.eps)
        weights[name] -= lr * (update + optimizer.weight_decay * decays(name) * weights[name])
