"""The one model the engine trains: a Qwen3-style decoder, as a graph of ops.

Pre-RMSNorm, grouped-query attention with per-head QK-norm and split-half rotary embedding, SwiGLU, tied or untied head, no biases.
Parameter names are Hugging Face's for Qwen3ForCausalLM, so a checkpoint needs no renaming.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from cengine import random
from cengine.ir import Call, Graph, Ref
from cengine.op import evaluate

DECODING = {
    "fp32": "",
    "int8": "bytes_",
}  # precision of weights in decoding: what stands before the names of the ops that multiply


@dataclass(frozen=True)
class Config:
    """Shape of a model. Sizes in elements; `ctx` is the longest row in tokens."""

    vocab: int
    layers: int = 3
    d_model: int = 192
    d_ff: int = 384
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 24
    ctx: int = 512
    rope_theta: float = 1e6
    norm_eps: float = 1e-6
    tied: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab", "layers", "d_model", "d_ff", "heads", "kv_heads", "ctx"):
            if not 1 <= getattr(self, name) <= 2**20:
                raise ValueError(f"model: {name} is {getattr(self, name)}; expected 1 to {2**20}")
        if self.heads % self.kv_heads:
            raise ValueError(
                f"model: heads={self.heads} is not a multiple of kv_heads={self.kv_heads}; query heads share key/value heads evenly"
            )
        if not 8 <= self.head_dim <= 256 or self.head_dim % 2:
            raise ValueError(
                f"model: head_dim={self.head_dim}; expected an even number from 8 to 256 (rotary embedding turns pairs)"
            )
        if self.ctx > 4096:
            raise ValueError(f"model: ctx={self.ctx}; expected at most 4096 tokens")
        if not self.rope_theta > 0 or not self.norm_eps > 0:
            raise ValueError(
                f"model: rope_theta={self.rope_theta}, norm_eps={self.norm_eps}; expected positive numbers"
            )

    def as_dict(self) -> dict:
        return asdict(self)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter by its Hugging Face name, in the order of the forward pass."""
        q, kv, d = self.heads * self.head_dim, self.kv_heads * self.head_dim, self.d_model
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocab, d)}
        for layer in range(self.layers):
            at = f"model.layers.{layer}."
            shapes |= {
                at + "input_layernorm.weight": (d,),
                at + "self_attn.q_proj.weight": (q, d),
                at + "self_attn.k_proj.weight": (kv, d),
                at + "self_attn.v_proj.weight": (kv, d),
                at + "self_attn.q_norm.weight": (self.head_dim,),
                at + "self_attn.k_norm.weight": (self.head_dim,),
                at + "self_attn.o_proj.weight": (d, q),
                at + "post_attention_layernorm.weight": (d,),
                at + "mlp.gate_proj.weight": (self.d_ff, d),
                at + "mlp.up_proj.weight": (self.d_ff, d),
                at + "mlp.down_proj.weight": (d, self.d_ff),
            }
        shapes["model.norm.weight"] = (d,)
        if not self.tied:
            shapes["lm_head.weight"] = (self.vocab, d)
        return shapes

    def parameter_count(self) -> int:
        return sum(int(np.prod(s)) for s in self.parameters().values())

    def flops_per_token(self, context: float) -> float:
        """Useful multiply-adds, counted twice, of one training token (forward and backward) that attends to `context` keys on average."""
        matrices = sum(int(np.prod(s)) for n, s in self.parameters().items() if len(s) == 2 and "embed" not in n)
        head = self.vocab * self.d_model if self.tied else 0
        attention = 2 * self.layers * self.heads * self.head_dim * context
        return 6.0 * (matrices + head + attention)


def decays(name: str) -> bool:
    """Whether weight decay applies: to matrices, not to norms and not to embeddings."""
    return "norm" not in name and "embed_tokens" not in name


def initial(config: Config, seed: int, init: str = "normal", std: float = 0.02) -> dict[str, np.ndarray]:
    """Random float32 parameters. init: normal (standard deviation `std`) or xavier_uniform (limit sqrt(6/(fan_in+fan_out))).

    Each tensor draws from its own stream, named after it. Norm gains are 1.
    """
    if init not in ("normal", "xavier_uniform"):
        raise ValueError(f"init: got {init!r}; expected normal or xavier_uniform")
    weights = {}
    for name, shape in config.parameters().items():
        count, stream = int(np.prod(shape)), random.stream_of(name)
        if len(shape) == 1:
            values = np.ones(count)
        elif init == "normal":
            values = random.normal(seed, stream, count) * std
        else:
            limit = np.sqrt(6.0 / sum(shape))
            values = (2.0 * random.uniform(seed, stream, count) - 1.0) * limit
        weights[name] = values.astype(np.float32).reshape(shape)
    return weights


def check_shapes(config: Config, weights: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError unless every parameter of the model is there with its shape, and nothing else."""
    expected = config.parameters()
    if set(weights) != set(expected):
        raise ValueError(
            f"weights: missing {sorted(set(expected) - set(weights))}, unexpected {sorted(set(weights) - set(expected))}"
        )
    for name, shape in expected.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"weights: {name} has shape {tuple(weights[name].shape)}; expected {shape}")


def rotary_tables(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of pos * theta^(-2i/D), float32 [ctx, head_dim/2], computed in float64."""
    half = config.head_dim // 2
    angle = np.outer(np.arange(config.ctx), config.rope_theta ** (-np.arange(half) / half))
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _declare(graph: Graph, config: Config) -> tuple[dict[str, Ref], Ref, Ref]:
    weights = {name: graph.tensor(name, shape, "param") for name, shape in config.parameters().items()}
    cos = graph.tensor("rope.cos", (config.ctx, config.head_dim // 2), "const")
    sin = graph.tensor("rope.sin", (config.ctx, config.head_dim // 2), "const")
    return weights, cos, sin


def _decoder(
    graph: Graph,
    config: Config,
    ids: Ref,
    pos: Ref,
    weights: dict[str, Ref],
    cos: Ref,
    sin: Ref,
    attend,
    say=None,
    kind="",
) -> Ref:
    """Embedding to logits; `attend(layer, q, k, v)` is the attention, over [B,T,heads,head_dim].

    With `say`, each token is a row of length 1, products take all of them as one row, and `say(x)` is what goes on to the head. `kind` stands
    before the names of the ops that multiply.
    """
    batch, time = ids.shape
    eps = {"eps": config.norm_eps}

    def norm(x: Ref, w: Ref, name: str) -> Ref:
        return graph.apply("rmsnorm", name, eps, x=x, w=w)

    def product(name: str, x: Ref, w: Ref, op: str = "linear", **r: Ref) -> Ref:
        shaped = {key: ref.view(1, batch, -1) if say else ref for key, ref in {"x": x, **r}.items()}
        return graph.apply(kind + op, name, None, w=w, **shaped).view(batch, time, -1)

    def turn(x: Ref, w: Ref, name: str) -> Ref:
        heads = x.view(batch, time, -1, config.head_dim)
        return graph.apply("norm_rope", name, eps, x=heads, w=w, pos=pos, cos=cos, sin=sin)

    x = graph.apply("embedding", "embed", ids=ids, w=weights["model.embed_tokens.weight"])
    for layer in range(config.layers):
        at, name = f"model.layers.{layer}.", f"layer{layer}"
        w = {key.removeprefix(at).removesuffix(".weight"): ref for key, ref in weights.items() if key.startswith(at)}
        h = norm(x, w["input_layernorm"], f"{name}.attn_in")
        q, k = (product(f"{name}.{p}", h, w[f"self_attn.{p}_proj"], "linear" if say else "linear_split") for p in "qk")
        v = product(f"{name}.v", h, w["self_attn.v_proj"])
        q, k = turn(q, w["self_attn.q_norm"], f"{name}.q.rope"), turn(k, w["self_attn.k_norm"], f"{name}.k.rope")
        o = attend(f"{name}.attn", q, k, v.view(batch, time, config.kv_heads, config.head_dim))
        o = o.view(batch, time, config.heads * config.head_dim)
        x = product(f"{name}.mid", o, w["self_attn.o_proj"], "linear_add", r=x)
        h = norm(x, w["post_attention_layernorm"], f"{name}.mlp_in")
        gate, up = (product(f"{name}.{p}", h, w[f"mlp.{p}_proj"]) for p in ("gate", "up"))
        m = graph.apply("swiglu", f"{name}.act", g=gate, u=up)
        x = product(f"{name}.out", m, w["mlp.down_proj"], "linear_add", r=x)
    x = norm(say(x) if say else x, weights["model.norm.weight"], "final")
    return product("logits", x, weights["model.embed_tokens.weight" if config.tied else "lm_head.weight"])


BATCHED = ("ids", "targets", "pos", "loss")  # tensors of a training graph that hold every row of a batch


def training_graph(config: Config, batch: int, time: int, precision: str = "fp32", room: int | None = None) -> Graph:
    """ids, targets, pos [batch, time] and loss_scale [1] to per-token losses [batch, time] (tensor `loss`).

    With `room`, those four have room for that many rows, and the calls use the first `batch` of them.
    """
    graph = Graph(precision)
    weights, cos, sin = _declare(graph, config)
    shape = (room or batch, time)
    ids, targets, pos = (Ref(graph.tensor(n, shape, "input", "i").name, (batch, time)) for n in BATCHED[:3])
    scale = graph.tensor("loss_scale", (1,), "control")

    def attend(name: str, q: Ref, k: Ref, v: Ref) -> Ref:
        return graph.apply("attention", name, {"scale": config.head_dim**-0.5}, q=q, k=k, v=v, pos=pos)

    logits = _decoder(graph, config, ids, pos, weights, cos, sin, attend)
    graph.apply("cross_entropy", "loss", logits=logits, targets=targets, scale=scale)
    graph.keep("loss", shape)
    return graph


def decoding_graph(config: Config, tokens: int, slots: int, precision: str = "fp32") -> Graph:
    """ids, slot, pos [tokens] against `slots` caches of ctx tokens, to `logits` [1, tokens, vocab] behind the fed tokens whose numbers
    are in `said` [tokens], and to the highest of each in `next` [tokens, 1]. The calls from `said` on may run for fewer tokens.

    copy_source, copy_target, copy_count [slots] are for `copying`. precision: fp32, or int8 (weights of products as bytes).
    """
    if precision not in DECODING:
        raise ValueError(f"decoding precision: got {precision!r}; expected one of {list(DECODING)}")
    graph, kind = Graph(), DECODING[precision]
    weights, cos, sin = _declare(graph, config)
    ids, slot, pos, said = (graph.tensor(n, (tokens,), "input", "i") for n in ("ids", "slot", "pos", "said"))
    for name in ("source", "target", "count"):
        graph.tensor(f"copy_{name}", (slots,), "input", "i")
    room = evaluate("L/PANEL*PANEL", {"L": config.ctx})

    def attend(name: str, q: Ref, k: Ref, v: Ref) -> Ref:
        kc = graph.tensor(f"{name}.keys", (slots, config.kv_heads, room * config.head_dim), "state")
        vc = graph.tensor(f"{name}.values", (slots, config.kv_heads, config.ctx, config.head_dim), "state")
        flat = {n: r.view(tokens, *r.shape[2:]) for n, r in (("q", q), ("k", k), ("v", v))}
        o = graph.apply(
            "attention_cached", name, {"scale": config.head_dim**-0.5}, **flat, slot=slot, pos=pos, kc=kc, vc=vc
        )
        return o.view(tokens, 1, *o.shape[1:])

    def say(x: Ref) -> Ref:
        return graph.apply("embedding", "said.x", ids=said.view(tokens, 1), w=x.view(tokens, config.d_model))

    logits = _decoder(graph, config, ids.view(tokens, 1), pos.view(tokens, 1), weights, cos, sin, attend, say, kind)
    graph.apply("highest", "next", x=logits)
    graph.keep("logits")
    graph.keep("next")
    return graph


def copying(graph: Graph, config: Config) -> list[Call]:
    """Calls that copy the beginning of slots' caches into other slots, for a decoding graph."""
    roles = {name: f"copy_{name}" for name in ("source", "target", "count")}
    return [
        graph.use("cache_copy", f"layer{i}.copy", None, kc=f"layer{i}.attn.keys", vc=f"layer{i}.attn.values", **roles)
        for i in range(config.layers)
    ]
