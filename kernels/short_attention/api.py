"""Public entry of causal attention over many short sequences."""

from torch import Tensor

from geomem.kernels.choice import choose


def short_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    *,
    impl: str = "auto",
) -> Tensor:
    """Causal softmax attention of sequences that may share a prefix.

    Equals, for each member, sequence and head,
    `F.scaled_dot_product_attention(q, cat(prefix_k, k), cat(prefix_v, v))` under a mask that
    shows a query the whole prefix and the positions up to its own.

    q, k, v: [K, B, T, H, Dh]; prefix_k, prefix_v: [K, P, H, Dh], seen by every sequence.
    Returns [K, B, T, H, Dh]. Raises ValueError for shapes that do not fit and an unknown impl.
    """
    from geomem.kernels.short_attention import reference

    if not q.shape == k.shape == v.shape or q.dim() != 5:
        raise ValueError(
            "short_attention: expected q, k, v of one shape [K,B,T,H,Dh], got "
            f"{tuple(q.shape)}, {tuple(k.shape)}, {tuple(v.shape)}"
        )
    if (prefix_k is None) != (prefix_v is None):
        raise ValueError("short_attention: give prefix_k and prefix_v, or neither")
    implementations = {"reference": reference.short_attention}
    _, run = choose("short_attention", implementations, impl, auto="reference")
    return run(q, k, v, prefix_k, prefix_v)
