"""Compiles what a launcher would launch for an H100 or H200, without one, and reads what it costs.

The launcher runs on CPU tensors and its launches are only noted; each is then compiled with the
types, alignments and constants that the launch itself would have chosen.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

SHARED_MEMORY = 227 * 1024  # bytes that one program may have
_DUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
_TYPES = {
    torch.bfloat16: "*bf16",
    torch.float32: "*fp32",
    torch.float64: "*fp64",
    torch.bool: "*i1",
    torch.int64: "*i64",
    torch.int32: "*i32",
}
_OPTIONS = ("num_warps", "num_stages", "maxnreg")


class Launch(NamedTuple):
    """A kernel and its arguments by name."""

    kernel: JITFunction
    arguments: dict


class Cost(NamedTuple):
    """Registers per thread, bytes of stack (spills) per thread, bytes of shared memory; PTX."""

    registers: int
    stack: int
    shared: int
    ptx: str


def record(monkeypatch, run):
    """Call `run` and return the launches that it would have made."""
    launches = []

    def note(kernel, *args, grid, warmup, **kwargs):
        positional = dict(zip(kernel.arg_names, args, strict=False))
        launches.append(Launch(kernel, positional | kwargs))

    monkeypatch.setattr(JITFunction, "run", note)
    run()
    return launches


def compile_launch(launch):
    """Compile a launch for sm_90 and return its cost."""
    signature, constants, attributes = {}, {}, {}
    for index, parameter in enumerate(launch.kernel.params):
        value, name = launch.arguments[parameter.name], parameter.name
        several = isinstance(value, tuple)
        types = []
        for path, part in (
            [((index, j), v) for j, v in enumerate(value)] if several else [((index,), value)]
        ):
            kind, divisible = _specialize(part, parameter)
            types.append(kind)
            if kind == "constexpr":
                constants[path] = part
            elif divisible:
                attributes[path] = [["tt.divisibility", 16]]
        signature[name] = tuple(types) if several else types[0]
    compiled = triton.compile(
        ASTSource(launch.kernel, signature, constants, attributes),
        target=GPUTarget("cuda", 90, 32),
        options={key: launch.arguments[key] for key in _OPTIONS if key in launch.arguments},
    )
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        command = [_DUMP, "--dump-resource-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack = (int(re.search(rf"{key}:(\d+)", usage)[1]) for key in ("REG", "STACK"))
    return Cost(registers, stack, compiled.metadata.shared, compiled.asm["ptx"])


def _specialize(value, parameter):
    """Type of an argument as Triton derives it, and whether 16 divides it."""
    if parameter.is_constexpr or value is None:
        return "constexpr", False
    if isinstance(value, torch.Tensor):
        return _TYPES[value.dtype], value.data_ptr() % 16 == 0
    if parameter.do_not_specialize:
        return "i32" if value < 2**31 else "i64", False
    if value == 1:
        return "constexpr", False
    return "i32" if value < 2**31 else "i64", value % 16 == 0
