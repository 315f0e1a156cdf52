"""THE op table. One record per op; prototypes, sizes, backward order, parity tests and docs are read from it.

To add an op: one record here and one C file of the same name in `c/ops/`. The grammar of the strings is in `op.py`.
The NumPy functions are the float64 references that the C kernels are held against; they are written for clarity and are
never used to train. `reference` gets the inputs by name and returns the outputs in order; `gradient` gets every tensor that
the backward reads and returns what it adds, in order.
"""

from __future__ import annotations

import numpy as np

from cengine.op import Op

IGNORED = -100  # a target that carries no loss (any negative target is ignored)


# ---------------------------------------------------------------------------------------------------- references


def embedding(ids, w):
    return (w[ids],)


def embedding_gradient(dy, ids, w_shape):
    dw = np.zeros(w_shape)
    np.add.at(dw, ids, dy)
    return (dw,)


def rmsnorm(x, w, eps):
    rstd = 1.0 / np.sqrt((x * x).mean(-1) + eps)
    return w * x * rstd[..., None], rstd


def rmsnorm_gradient(dy, x, w, rstd):
    r = rstd[..., None]
    g = dy * w
    dx = r * g - x * r**3 * (g * x).mean(-1, keepdims=True)
    return dx, (dy * x * r).reshape(-1, w.size).sum(0)


def linear(x, w):
    return (x @ w.T,)


def linear_gradient(dy, x, w):
    return dy @ w, np.einsum("bto,btc->oc", dy, x)


def linear_add(x, w, r):
    return (r + x @ w.T,)


def as_bytes(w):
    """What the rows of w are when written as bytes: whole numbers up to 127 of max / 127, which is a float32."""
    w = w.astype(np.float32)
    top = np.abs(w).max(-1, keepdims=True)
    unit = np.where(top > 0, top / np.float32(127), np.float32(1))
    return np.rint(w / unit).astype(np.float64) * unit


def bytes_linear(x, w):
    return (x @ as_bytes(w).T,)


def bytes_linear_add(x, w, r):
    return (r + bytes_linear(x, w)[0],)


def swiglu(g, u):
    return (g / (1.0 + np.exp(-g)) * u,)


def swiglu_gradient(dy, g, u):
    s = 1.0 / (1.0 + np.exp(-g))
    return dy * u * s * (1.0 + g * (1.0 - s)), dy * g * s


def _turn(x, cos, sin):
    a, b = np.split(x, 2, -1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def norm_rope(x, w, pos, cos, sin, eps):
    n, rstd = rmsnorm(x, w, eps)
    return _turn(n, cos[pos][:, :, None], sin[pos][:, :, None]), rstd


def norm_rope_gradient(dy, x, w, pos, cos, sin, rstd):
    dx, dw = rmsnorm_gradient(_turn(dy, cos[pos][:, :, None], -sin[pos][:, :, None]), x, w, rstd)
    return dx, dw


def _causal(pos):
    """allowed[b, query, key]: a key is seen if it is not later and belongs to the same packed row."""
    at = np.arange(pos.shape[1])
    start = at - pos
    return (at[None, None, :] <= at[None, :, None]) & (at[None, None, :] >= start[:, :, None])


def _probabilities(q, k, pos, scale):
    group = q.shape[2] // k.shape[2]
    s = np.einsum("bqhd,bkhd->bhqk", q, np.repeat(k, group, 2)) * scale
    s = np.where(_causal(pos)[:, None], s, -np.inf)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - top)
    total = e.sum(-1, keepdims=True)
    return e / total, (top * np.log2(np.e) + np.log2(total))[..., 0]


def attention(q, k, v, pos, scale):
    p, lse = _probabilities(q, k, pos, scale)
    return np.einsum("bhqk,bkhd->bqhd", p, np.repeat(v, q.shape[2] // k.shape[2], 2)), lse


def attention_gradient(do, q, k, v, o, lse, pos, scale):
    b, t, g, d = k.shape
    group = q.shape[2] // g
    p, _ = _probabilities(q, k, pos, scale)
    kk, vv = np.repeat(k, group, 2), np.repeat(v, group, 2)
    dp = np.einsum("bqhd,bkhd->bhqk", do, vv)
    ds = p * (dp - (do * o).sum(-1).transpose(0, 2, 1)[..., None]) * scale
    dq = np.einsum("bhqk,bkhd->bqhd", ds, kk)
    dk = np.einsum("bhqk,bqhd->bkhd", ds, q).reshape(b, t, g, group, d).sum(3)
    dv = np.einsum("bhqk,bqhd->bkhd", p, do).reshape(b, t, g, group, d).sum(3)
    return dq, dk, dv


def highest(x):
    return (x.argmax(-1),)


def cross_entropy(logits, targets, scale):
    top = logits.max(-1)
    lse = top + np.log(np.exp(logits - top[..., None]).sum(-1))
    at = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return np.where(targets >= 0, lse - at, 0.0), lse


def cross_entropy_gradient(logits, targets, lse, scale):
    d = np.exp(logits - lse[..., None])
    np.put_along_axis(
        d, np.maximum(targets, 0)[..., None], np.take_along_axis(d, np.maximum(targets, 0)[..., None], -1) - 1, -1
    )
    return (np.where(targets[..., None] >= 0, d * scale[0], 0.0),)


# ---------------------------------------------------------------------------------------------------- the table

PACKED = {"fwd": "w -> packed:O/PANEL*PANEL*(C/32*32)", "bwd": "w -> turned:C/PANEL*PANEL*(O/32*32)"}
BYTES = {"fwd": "w -> packed:O/PANEL*PANEL*(C/4)/i scale:O"}
TILES = {"bwd": "dyt:Q,B,T/ROWBLOCK*ROWBLOCK,O/32*16 xv:Q,B,T/ROWBLOCK*ROWBLOCK,C/32*16"}

_TABLE = [
    Op(
        "embedding",
        "ids:B,T/i w:V,C -> y:B,T,C",
        "dy ids -> dw",
        phases={"fwd": (("fwd", "ROWS"),), "bwd": (("bwd", "C/LANES", "dw"),)},
        reference=embedding,
        gradient=embedding_gradient,
    ),
    Op(
        "rmsnorm",
        "x:B,T,C w:C -> y:B,T,C rstd:B,T",
        "dy x w rstd -> dx dw",
        phases={"fwd": (("fwd", "ROWS"),), "bwd": (("bwd", "ROWS"), ("bwd_dw", "C/LANES", "dw"))},
        scratch={"bwd": "part:B*(T/ROWBLOCK),C"},
        attrs=("eps",),
        reference=rmsnorm,
        gradient=rmsnorm_gradient,
    ),
    Op(
        "linear",
        "x:B,T,C w:O,C -> y:B,T,O",
        "dy x w turned -> dx dw",
        prepare=PACKED,
        scratch=TILES,
        phases={
            "prepare_fwd": (("pack", "O/PANEL", "packed"),),
            "prepare_bwd": (("turn", "C/PANEL", "turned"),),
            "fwd": (("fwd", "ROWS*(O/PANEL)"),),
            "bwd": (("bwd_dx", "ROWS*(C/COLBLOCK)"), ("bwd_dw", "O/GRADBLOCK*(C/COLBLOCK)", "dw")),
        },
        reference=linear,
        gradient=linear_gradient,
    ),
    Op(
        "linear_add",
        "x:B,T,C w:O,C r:B,T,O -> y:B,T,O",
        "dy x w turned -> dx dw",
        same={"dr": "dy"},
        prepare=PACKED,
        scratch=TILES,
        phases={
            "prepare_fwd": (("=linear_pack", "O/PANEL", "packed"),),
            "prepare_bwd": (("=linear_turn", "C/PANEL", "turned"),),
            "fwd": (("fwd", "ROWS*(O/PANEL)"),),
            "bwd": (("=linear_bwd_dx", "ROWS*(C/COLBLOCK)"), ("=linear_bwd_dw", "O/GRADBLOCK*(C/COLBLOCK)", "dw")),
        },
        reference=linear_add,
        gradient=linear_gradient,
    ),
    Op(
        "linear_split",
        "x:B,T,C w:O,C -> y:B,T,O",
        "dy x w turned -> dx dw",
        prepare=PACKED,
        scratch=TILES,
        phases={
            "prepare_fwd": (("pack", "O/PANEL", "packed"),),
            "prepare_bwd": (("=linear_turn", "C/PANEL", "turned"),),
            "fwd": (("fwd", "ROWS*(O/PANEL)"),),
            "bwd": (("=linear_bwd_dx", "ROWS*(C/COLBLOCK)"), ("=linear_bwd_dw", "O/GRADBLOCK*(C/COLBLOCK)", "dw")),
        },
        reference=linear,
        gradient=linear_gradient,
    ),
    Op(
        "bytes_linear",
        "x:B,T,C w:O,C -> y:B,T,O",
        prepare=BYTES,
        phases={"prepare_fwd": (("pack", "O/PANEL", "packed scale"),), "fwd": (("fwd", "ROWS*(O/PANEL)"),)},
        reference=bytes_linear,
    ),
    Op(
        "bytes_linear_add",
        "x:B,T,C w:O,C r:B,T,O -> y:B,T,O",
        prepare=BYTES,
        phases={
            "prepare_fwd": (("=bytes_linear_pack", "O/PANEL", "packed scale"),),
            "fwd": (("fwd", "ROWS*(O/PANEL)"),),
        },
        reference=bytes_linear_add,
    ),
    Op(
        "swiglu",
        "g:B,T,C u:B,T,C -> y:B,T,C",
        "dy g u -> dg du",
        phases={"fwd": (("fwd", "ROWS"),), "bwd": (("bwd", "ROWS"),)},
        reference=swiglu,
        gradient=swiglu_gradient,
    ),
    Op(
        "norm_rope",
        "x:B,T,H,D w:D pos:B,T/i cos:L,D/2 sin:L,D/2 -> y:B,T,H,D rstd:B,T,H",
        "dy x w pos cos sin rstd -> dx dw",
        phases={"fwd": (("fwd", "ROWS"),), "bwd": (("bwd", "ROWS"), ("bwd_dw", "D/LANES", "dw"))},
        scratch={"bwd": "part:B*(T/ROWBLOCK),D"},
        attrs=("eps",),
        reference=norm_rope,
        gradient=norm_rope_gradient,
    ),
    Op(
        "attention",
        "q:B,T,H,D k:B,T,G,D v:B,T,G,D pos:B,T/i -> o:B,T,H,D lse:B,H,T",
        "do q k v o lse pos -> dq dk dv",
        phases={
            "fwd": (("tiles", "ROWS"), ("fwd", "B*H*(T/(QBLOCK+Q*16))")),
            "bwd": (("bwd", "B*H"), ("bwd_kv", "ROWS")),
        },
        scratch={
            "fwd": "tiles:Q,B,G,2,T/32*32*(D/32*16)",
            "bwd": "lanes:B,H,4,(D+Q*8)*(T/16*16+16) tiles:Q,B,H,3,T/32*32*(D/32*16)",
        },
        attrs=("scale",),
        reference=attention,
        gradient=attention_gradient,
    ),
    Op(
        "attention_cached",
        "q:N,H,D k:N,G,D v:N,G,D slot:N/i pos:N/i kc!:S,G,L/PANEL*PANEL*D vc!:S,G,L,D -> o:N,H,D",
        phases={"fwd": (("append", "N"), ("fwd", "N*G"))},
        attrs=("scale",),
    ),
    Op(
        "cache_copy",
        "source:N/i target:N/i count:N/i kc!:S,G,L/PANEL*PANEL*D vc!:S,G,L,D",
        phases={"fwd": (("fwd", "N*G"),)},
    ),
    Op("highest", "x:B,T,V -> id:B,T/i", phases={"fwd": (("fwd", "ROWS"),)}, reference=highest),
    Op(
        "cross_entropy",
        "logits:B,T,V targets:B,T/i scale:1 -> loss:B,T lse:B,T",
        "logits targets lse scale -> dlogits",
        phases={"fwd": (("fwd", "ROWS"),), "bwd": (("bwd", "ROWS"),)},
        reference=cross_entropy,
        gradient=cross_entropy_gradient,
    ),
    Op("fill_zero", "x!:P", phases={"fwd": (("fwd", "P/GRAIN", "x"),)}),
    Op("merge", "x!:P a:P", phases={"fwd": (("fwd", "P/GRAIN", "x"),)}),
    Op(
        "sum_squares",
        "g:P total!:1/d",
        phases={"fwd": (("fwd", "P/GRAIN", "part"), ("add", "1"))},
        scratch={"fwd": "part:P/GRAIN/d"},
    ),
    Op(
        "adamw",
        "p!:P g:P m!:P v!:P hyper:K total:1/d",
        phases={"fwd": (("fwd", "P/GRAIN", "p m v"),)},
        attrs=("decay",),
    ),
]

OPS: dict[str, Op] = {op.name: op for op in _TABLE}
