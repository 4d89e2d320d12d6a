"""The stacked Mamba against the independent implementation in transformers, weights copied."""

import sys
from pathlib import Path

import pytest
import torch

from geomem.models import Mamba, Segment, draw
from tests.closeness import assert_close

ROOT = Path(__file__).resolve().parents[2]
# transformers looks for a package called `kernels`; with the repository on the path it finds ours.
_with_root = sys.path[:]
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
transformers = pytest.importorskip("transformers")
pytest.importorskip("transformers.models.mamba.modeling_mamba")
sys.path[:] = _with_root

MODEL = Mamba(
    vocab=23,
    layers=2,
    width=16,
    state=4,
    conv=4,
    expand=2,
    rank=3,
    tie=True,
    freeze_embeddings=False,
    residual=True,
    norm=True,
)
NAMES = {  # ours -> theirs, and whether theirs is transposed
    "norm.weight": ("norm.weight", False),
    "in.weight": ("mixer.in_proj.weight", True),
    "conv.weight": ("mixer.conv1d.weight", False),
    "conv.bias": ("mixer.conv1d.bias", False),
    "x.weight": ("mixer.x_proj.weight", True),
    "dt.weight": ("mixer.dt_proj.weight", True),
    "dt.bias": ("mixer.dt_proj.bias", False),
    "A_log": ("mixer.A_log", False),
    "D": ("mixer.D", False),
    "out.weight": ("mixer.out_proj.weight", True),
}


def _theirs():
    config = transformers.MambaConfig(
        vocab_size=23,
        hidden_size=16,
        state_size=4,
        num_hidden_layers=2,
        conv_kernel=4,
        expand=2,
        time_step_rank=3,
        use_mambapy=False,
        tie_word_embeddings=True,
    )
    return transformers.MambaForCausalLM(config).eval()


def _copied(theirs, k, params):
    """Copy member k into the peer; return its parameters under our names."""
    own = dict(theirs.named_parameters())
    found = {"embedding": (own["backbone.embeddings.weight"], False)}
    found["final_norm.weight"] = (own["backbone.norm_f.weight"], False)
    for i in range(MODEL.layers):
        for ours, (name, flip) in NAMES.items():
            found[f"block{i}.{ours}"] = (own[f"backbone.layers.{i}.{name}"], flip)
    with torch.no_grad():
        for name, (parameter, flip) in found.items():
            value = params[name][k].T if flip else params[name][k]
            parameter.copy_(value.reshape(parameter.shape))
    return found


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_hidden_states_and_gradients_agree(prefix):
    settings = dict.fromkeys(("token_std", "weight_std"), torch.full((2,), 0.3).double())
    params = {n: draw(n, p, [0, 1], settings) for n, p in MODEL.parameters().items()}
    assert params.keys() == {"embedding", "final_norm.weight"} | {
        f"block{i}.{name}" for i in range(2) for name in NAMES
    }
    g = torch.Generator().manual_seed(0)
    head = torch.randint(23, (2, prefix), generator=g)
    tokens = torch.randint(23, (2, 5, 6), generator=g)
    probe = torch.randn(5, 6, 16, generator=g)
    leaves = {n: p.clone().requires_grad_() for n, p in params.items()}
    ours = MODEL.hidden(leaves, [Segment(tokens, head)], None).unflatten(1, (5, 6))
    grads = torch.autograd.grad((ours * probe).sum(), list(leaves.values()))
    for k in range(2):
        theirs = _theirs()
        copied = _copied(theirs, k, params)
        whole = torch.cat([head[k].expand(5, -1), tokens[k]], 1)
        hidden = theirs.backbone(whole).last_hidden_state[:, prefix:]
        assert_close(ours[k], hidden.double(), 1e-4)
        wanted = torch.autograd.grad(
            (hidden * probe).sum(), [parameter for parameter, _ in copied.values()]
        )
        by_name = dict(zip(copied, wanted, strict=True))
        for name, grad in zip(leaves, grads, strict=True):
            theirs_grad = by_name[name].T if copied[name][1] else by_name[name]
            assert_close(grad[k].flatten(), theirs_grad.reshape(-1).double(), 1e-4)
