"""One model written the textbook way, in fp64: whole sequences, logits everywhere, one member."""

import torch
from torch.nn import functional as F

PAD = -100


def _linear(x, p, at):
    return x @ p[f"{at}weight"] + p[f"{at}bias"]


def _norm(x, p, at, on):
    if not on:
        return x
    return F.layer_norm(x, x.shape[-1:], p[f"{at}weight"], p[f"{at}bias"], 1e-5)


def _waves(T, D):
    table = torch.zeros(T, D, dtype=torch.float64)
    for t in range(T):
        for i in range(D):
            angle = torch.tensor(t / 10_000 ** (2 * (i // 2) / D), dtype=torch.float64)
            table[t, i] = angle.sin() if i % 2 == 0 else angle.cos()
    return table


def transformer_logits(p, tokens, config):
    """Logits [B, T, V] of tokens [B, T] under one member's parameters."""
    (B, T), D, H = tokens.shape, config.width, config.heads
    x = p["embedding"][tokens]
    if config.positions == "learned":
        x = x + p["positions"][:T]
    elif config.positions == "sinusoidal":
        x = x + config.position_std * _waves(T, D)
    for i in range(config.layers):
        at = f"block{i}."
        if config.attention:
            qkv = _linear(_norm(x, p, f"{at}norm1.", config.norm), p, f"{at}qkv.")
            q, k, v = (t.view(B, T, H, D // H).transpose(1, 2) for t in qkv.split(D, 2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            y = _linear(y.transpose(1, 2).reshape(B, T, D), p, f"{at}out.")
            x = x + y if config.residual else y
        y = _linear(_norm(x, p, f"{at}norm2.", config.norm), p, f"{at}up.")
        y = _linear(F.gelu(y, approximate="tanh"), p, f"{at}down.")
        x = x + y if config.residual else y
    x = _norm(x, p, "final_norm.", config.norm)
    return x @ p.get("unembedding", p["embedding"]).T


def _rms(x, p, at, on):
    if not on:
        return x
    return x * torch.rsqrt((x**2).mean(-1, keepdim=True) + 1e-5) * p[f"{at}weight"]


def mamba_logits(p, tokens, config):
    """Logits [B, T, V] of tokens [B, T] under one member's parameters."""
    (B, T), S, C = tokens.shape, config.state, config.width * config.expand
    x = p["embedding"][tokens]
    for i in range(config.layers):
        at = f"block{i}."
        u, z = (_rms(x, p, f"{at}norm.", config.norm) @ p[f"{at}in.weight"]).split(C, 2)
        kernel = p[f"{at}conv.weight"][:, None]
        padded = F.pad(u.transpose(1, 2), (config.conv - 1, 0))
        u = F.silu(F.conv1d(padded, kernel, p[f"{at}conv.bias"], groups=C).transpose(1, 2))
        dt, b, c = (u @ p[f"{at}x.weight"]).split([config.rank, S, S], 2)
        dt = F.softplus(dt @ p[f"{at}dt.weight"] + p[f"{at}dt.bias"])
        a, h, ys = -torch.exp(p[f"{at}A_log"]), torch.zeros(B, C, S).double(), []
        for t in range(T):
            step = dt[:, t, :, None]
            h = torch.exp(step * a) * h + step * b[:, t, None] * u[:, t, :, None]
            ys.append((h * c[:, t, None]).sum(2) + p[f"{at}D"] * u[:, t])
        y = (torch.stack(ys, 1) * F.silu(z)) @ p[f"{at}out.weight"]
        x = x + y if config.residual else y
    return _rms(x, p, "final_norm.", config.norm) @ p.get("unembedding", p["embedding"]).T


def feed_forward_logits(p, tokens, config):
    """Logits [B, T, V] of tokens [B, T] under one member's parameters."""
    x = p["embedding"][tokens]
    for i in range(config.layers):
        if i and config.activation == "gelu":
            x = F.gelu(x, approximate="tanh")
        x = x @ p[f"map{i}"]
    return x @ p.get("unembedding", p["embedding"]).T


def logits_of(p, tokens, config):
    """Logits of a model of any kind."""
    return {
        "transformer": transformer_logits,
        "mamba": mamba_logits,
        "feed_forward": feed_forward_logits,
    }[config.kind](p, tokens, config)


def examples(tables, k, edge_rows=None, path_rows=None):
    """Return (tokens, labels) [B, T] of member k: edges and paths padded to one length."""
    rows = []
    if edge_rows is not None:
        tag = tables.edge_tag[k].tolist()
        for r in edge_rows:
            source, target = tables.edges.source[k, r].item(), tables.edges.target[k, r].item()
            rows.append(([*tag, source], [PAD] * len(tag) + [target]))
    if path_rows is not None:
        tag = tables.path_tag[k].tolist()
        for r in path_rows:
            tokens = tag + tables.paths.tokens[k, r].tolist()
            targets = tables.paths.targets[k, r].tolist()
            rows.append((tokens, [PAD] * (len(tokens) - len(targets)) + targets))
    T = max(len(tokens) for tokens, _ in rows)
    tokens = torch.tensor([t + [6] * (T - len(t)) for t, _ in rows])
    labels = torch.tensor([y + [PAD] * (T - len(y)) for _, y in rows])
    return tokens, labels


def loss_of(p, tokens, labels, config):
    """Mean cross-entropy over all target tokens."""
    logits = logits_of(p, tokens, config)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD)
