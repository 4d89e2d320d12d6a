"""Stand-ins for torch.cuda and Triton's driver, and for what kernels would have written.

Each launch is compiled for an H200 as it stands, alignments and constants included; the values come
from the reference of its op.
"""

import contextlib
from functools import partial
from types import SimpleNamespace

import torch
import triton
from torch.utils._python_dispatch import _disable_current_modes
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from geomem.kernels.adamw_step import fused as adamw
from geomem.kernels.adamw_step import reference as plain_adamw
from geomem.kernels.add_norm import fused as norm
from geomem.kernels.add_norm import reference as plain_norm
from geomem.kernels.add_norm.problem import Inputs as NormInputs
from geomem.kernels.bias_gelu import fused as gelu
from geomem.kernels.bias_gelu import reference as plain_gelu
from geomem.kernels.causal_conv1d import fused as conv
from geomem.kernels.causal_conv1d import reference as plain_conv
from geomem.kernels.dropout import fused as drop
from geomem.kernels.dropout import reference as plain_drop
from geomem.kernels.linear_cross_entropy import fused as loss
from geomem.kernels.linear_cross_entropy import reference as plain_loss
from geomem.kernels.member_norm import fused as norms
from geomem.kernels.member_norm import reference as plain_norms
from geomem.kernels.selective_scan import fused as scan
from geomem.kernels.selective_scan import reference as plain_scan
from geomem.kernels.short_attention import fused as attention
from geomem.kernels.short_attention import packed
from geomem.kernels.short_attention import reference as plain_attention
from geomem.kernels.short_attention.problem import Inputs as AttentionInputs
from tests.emulated.tensors import DEVICE, Recording

compiled: dict[str, set[object]] = {}
"""By the name of a kernel what it was compiled to."""


class _Stream:
    def __init__(self, device=None):
        pass

    def wait_stream(self, other):
        pass


class _Event:
    def record(self):
        pass

    def synchronize(self):
        pass


class _Graph:
    def replay(self):
        self.recording.replay()


@contextlib.contextmanager
def _record(graph, pool=None, stream=None):
    graph.recording = Recording.now = Recording()
    try:
        yield
    finally:
        Recording.now = None
        graph.recording.undo()


_PROPERTIES = SimpleNamespace(name="emulated H200", total_memory=141 << 30)
_CUDA = {
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "get_device_name": lambda _: _PROPERTIES.name,
    "get_device_properties": lambda _: _PROPERTIES,
    "graph_pool_handle": lambda: None,
    "synchronize": lambda: None,
    "device_of": lambda _: contextlib.nullcontext(),
    "current_stream": _Stream,
    "stream": lambda _: contextlib.nullcontext(),
    "Stream": _Stream,
    "Event": _Event,
    "CUDAGraph": _Graph,
    "graph": _record,
    "_lazy_init": lambda: None,
}


class _Driver:
    """As much of Triton's driver as compiling asks for."""

    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device=0):
        return 0

    def get_active_torch_device(self):
        return DEVICE


def _compile(launch, kernel, *args, grid, warmup, **kwargs):
    with _disable_current_modes():
        made = launch(kernel, *args, grid=grid, warmup=True, **kwargs)
    known = compiled.setdefault(kernel.__name__, set())
    assert made in known or Recording.now is None, f"{kernel.__name__} is cold in a recording"
    known.add(made)
    return made


def _copy(results, values):
    for t, value in zip(results, values, strict=True):
        if t is not None and t.numel():
            assert (t.shape, t.dtype) == (value.shape, value.dtype)
            t.copy_(value)


def _gradients(run, inputs, given):
    """Of what `run` returns, where something is given for it, for every input there is."""
    with torch.enable_grad():
        leaves = [None if t is None else t.detach().requires_grad_() for t in inputs]
        pairs = [(y, dy) for y, dy in zip(run(leaves), given, strict=True) if dy is not None]
        there = [t for t in leaves if t is not None]
        found = torch.autograd.grad(
            *([y for y, _ in pairs], there, [dy for _, dy in pairs]),
            allow_unused=True,
            materialize_grads=True,
        )
    rest = iter(found)
    return [inputs[0].new_empty(0) if t is None else next(rest) for t in leaves]


def _norm_backward(total, weight, had, dtotal, dnormal):
    bias = torch.zeros_like(weight) if had.bias else None
    dx, dweight, dbias = _gradients(
        lambda t: plain_norm.run(NormInputs(t[0], None, *t[1:]), dnormal.dtype),
        (total, weight, bias),
        (dtotal, dnormal),
    )
    dy = None if had.y is None else dx.to(had.y)
    return dx, dy, dweight, dbias, dx.sum(1).to(weight.dtype) if had.y_bias else None


def _gelu_backward(x, bias, dy):
    return _gradients(lambda t: [plain_gelu.run(*t)], (x, bias), [dy])


def _scan_backward(x, options, saved, dy, dlast):
    return _gradients(lambda t: plain_scan.selective_scan(type(x)(*t), options), x, (dy, dlast))


def _conv_backward(x, silu, dy):
    return _gradients(lambda t: [plain_conv.causal_conv1d(type(x)(*t), silu)], x, [dy])


def _drop_backward(dy, keys, rates, site, dtype):
    def run(leaves):
        return [plain_drop.run(*leaves, keys, rates, site)]

    return _gradients(run, [torch.zeros_like(dy, dtype=dtype)], [dy])


def _attention_backward(x, do):
    return _gradients(lambda t: [plain_attention.run(type(x)(*t))], x, [do])


def _packed(qkv, bias, blocks):
    def attend(*tensors):
        return plain_attention.run(AttentionInputs(*tensors, *(None,) * (5 - len(tensors))))

    return packed.put_together(qkv, blocks, bias, attend)


def _packed_backward(qkv, bias, blocks, do):
    dqkv, dbias = _gradients(lambda t: [_packed(*t, blocks)], (qkv, bias), [do])
    return dqkv, None if bias is None else dbias


def _filled(run, values, *args):
    """Launch, then put the values where the kernels would have."""
    found = run(*args)
    results = found if isinstance(found, tuple | list) else [found]
    expected = values(*args)
    expected = expected if isinstance(expected, tuple | list) else [expected]
    _copy(results[: len(expected)], expected)
    return found


_VALUES = [
    (norms, "run", plain_norms.run),
    (loss, "run", plain_loss.run),
    (norm, "forward", plain_norm.run),
    (norm, "backward", _norm_backward),
    (gelu, "forward", plain_gelu.run),
    (gelu, "backward", _gelu_backward),
    (scan, "forward", plain_scan.selective_scan),
    (scan, "backward", _scan_backward),
    (conv, "forward", plain_conv.causal_conv1d),
    (conv, "backward", _conv_backward),
    (drop, "forward", plain_drop.run),
    (drop, "backward", _drop_backward),
    (attention, "forward", plain_attention.run),
    (attention, "backward", _attention_backward),
    (packed, "run", _packed),
    (packed, "gradients", _packed_backward),
]


def _adamw(launch, *args):
    launch(*args)
    plain_adamw.run(*args)


def see_a_gpu(monkeypatch):
    """Have torch.cuda in this process answer as if there were one."""
    for name, stand_in in _CUDA.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    # torch.tensor(…, device="cuda") then comes by way of a CPU.
    torch._C._set_only_lift_cpu_tensors(True)


def install(monkeypatch):
    """Have this process see a GPU on which kernels are compiled, and their values there."""
    see_a_gpu(monkeypatch)
    triton.runtime.driver.set_active(_Driver())
    monkeypatch.setattr(JITFunction, "run", _method(_compile, JITFunction.run))
    for module, name, values in _VALUES:
        run = getattr(module, name)
        monkeypatch.setattr(module, name, partial(_filled, run, values))
    monkeypatch.setattr(adamw, "run", partial(_adamw, adamw.run))


def _method(function, *first):
    return lambda self, *args, **kwargs: function(*first, self, *args, **kwargs)
