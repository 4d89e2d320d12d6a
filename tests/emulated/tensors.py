"""Tensors that say they are on a GPU and keep their values on the CPU, and what is done to them.

Whatever is done to one is done on the CPU. Seen on the way: operations that a host would wait for,
tensors of both sides in one operation, and, while a graph is recorded, everything that has to be
repeated when it is replayed.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("cuda", 0)
_WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "unique_dim"}
_FROM_HOST = {"_to_copy", "copy_", "lift_fresh"}

waits: list[str] = []
"""Operations so far that a host waited for, or that brought something from it."""


class OnDevice(torch.Tensor):
    """Its values stand in `here`, a tensor on the CPU."""

    @staticmethod
    def __new__(cls, here):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )

    def __init__(self, here):
        self.here = here

    def tolist(self):
        return self.detach().cpu().tolist()

    def numpy(self, **_):
        raise TypeError("a tensor on a GPU has no numpy()")

    def data_ptr(self):
        return self.here.data_ptr()

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _do(func, args, kwargs or {})


class Emulation(TorchDispatchMode):
    """Makes what is asked for on a GPU there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        device = (kwargs or {}).get("device")
        there = device is not None and torch.device(device).type == "cuda"
        if there or any(isinstance(a, OnDevice) for a in tree_leaves((args, kwargs))):
            return _do(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


class Recording:
    """What a graph consists of: done while it is recorded, undone, and done again by `replay`."""

    now: "Recording | None" = None

    def __init__(self):
        self._calls, self._before = [], {}

    def keep(self, func, args, kwargs):
        """Keep what an operation is about to write to."""
        schema = func._schema.arguments
        named = dict(zip([a.name for a in schema], args, strict=False)) | kwargs
        written = [named.get(a.name) for a in schema if a.alias_info and a.alias_info.is_write]
        for t in tree_leaves(written):
            if isinstance(t, torch.Tensor):
                storage = t.untyped_storage()
                self._before.setdefault(storage.data_ptr(), (storage, storage.clone()))

    def note(self, func, args, kwargs, out):
        self._calls.append((func, args, kwargs, out))

    def undo(self):
        for storage, before in self._before.values():
            storage.copy_(before)
        self._before = {}

    def replay(self):
        for func, args, kwargs, out in self._calls:
            again = _on_cpu(func, args, kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if (
                    isinstance(old, torch.Tensor)
                    and old.numel()
                    and old.data_ptr() != new.data_ptr()
                ):
                    old.copy_(new)


def _do(func, args, kwargs):
    name = func.name().split("::")[1].split(".")[0]
    given = [a for a in tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
    ours = [a for a in given if isinstance(a, OnDevice)]
    device = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    to_host = bool(ours) and device is not None and device.type == "cpu"
    _watch(name, args, given, ours, to_host)
    args_here, kwargs_here = tree_map(
        lambda a: a.here if isinstance(a, OnDevice) else a, (args, kwargs)
    )
    if device is not None:
        kwargs_here["device"] = torch.device("cpu")
    recording = Recording.now
    if recording is not None:
        recording.keep(func, args_here, kwargs_here)
    out = _on_cpu(func, args_here, kwargs_here)
    if recording is not None:
        recording.note(func, args_here, kwargs_here, out)
    if to_host:
        return out.clone()
    if name == "copy_" and not isinstance(args[0], OnDevice):
        return args[0]
    found = tree_map(lambda t: OnDevice(t) if isinstance(t, torch.Tensor) else t, out)
    return return_and_correct_aliasing(func, args, kwargs, found)


def _watch(name, args, given, ours, to_host):
    crosses = to_host or (name in _FROM_HOST and len(ours) < len(given))
    mask = name in ("index", "index_put", "index_put_") and any(
        i is not None and i.dtype == torch.bool for i in args[1]
    )
    if crosses or mask or name in _WAITING:
        waits.append(name)
        assert Recording.now is None, f"{name} while a graph is recorded: it waits for the host"
    elif any(not isinstance(t, OnDevice) and t.dim() for t in given):
        raise RuntimeError(f"{name} of tensors on a CPU and on a GPU")


def _on_cpu(func, args, kwargs):
    """Do it, also where only a GPU can: products of bfloat16 with results in float32."""
    if func is torch.ops.aten.bmm.dtype:
        return torch.bmm(args[0].float(), args[1].float()).to(args[2])
    if func is torch.ops.aten.baddbmm.dtype_out:
        out = kwargs["out"]
        product = torch.bmm(args[1].float(), args[2].float())
        beta = kwargs.get("beta", 1)
        return out.copy_(product if beta == 0 else beta * args[0] + product)
    return func(*args, **kwargs)
