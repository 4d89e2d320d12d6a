"""Build the CUDA scan of mamba-ssm, and nothing else of it, from a checkout of its source.

    python -m geomem.bench.build_mamba_ssm CHECKOUT FOLDER

needs nvcc, ninja and a few minutes; then FOLDER on PYTHONPATH lets `geomem-bench kernels` find
`selective_scan_cuda`. TORCH_CUDA_ARCH_LIST is respected; without it, the present device is built
for, or 9.0 where there is none.
"""

import os
import sys
from pathlib import Path

EXTENSION = "selective_scan_cuda"
NVCC_FLAGS = [
    *("-O3", "-std=c++17", "--use_fast_math"),
    *("--expt-relaxed-constexpr", "--expt-extended-lambda"),
    *("-U__CUDA_NO_HALF_OPERATORS__", "-U__CUDA_NO_HALF_CONVERSIONS__"),
    *("-U__CUDA_NO_BFLOAT16_OPERATORS__", "-U__CUDA_NO_BFLOAT16_CONVERSIONS__"),
    *("-U__CUDA_NO_BFLOAT162_OPERATORS__", "-U__CUDA_NO_BFLOAT162_CONVERSIONS__"),
    *("--threads", "4"),
]


def sources(checkout: Path) -> list[Path]:
    """Return the files of the extension: the binding and one kernel file per type and direction."""
    folder = checkout / "csrc" / "selective_scan"
    found = [folder / "selective_scan.cpp", *sorted(folder.glob("selective_scan_?wd_*.cu"))]
    if len(found) < 2 or not found[0].exists():
        raise FileNotFoundError(f"{folder} does not hold selective_scan.cpp and its .cu files")
    return found


def build(checkout: Path, folder: Path) -> None:
    """Compile the extension into a folder."""
    import torch
    from torch.utils.cpp_extension import load

    files = sources(checkout)
    if not torch.cuda.is_available():
        os.environ.setdefault("TORCH_CUDA_ARCH_LIST", "9.0")
    folder.mkdir(parents=True, exist_ok=True)
    load(
        name=EXTENSION,
        sources=[str(path) for path in files],
        extra_cflags=["-O3", "-std=c++17"],
        extra_cuda_cflags=NVCC_FLAGS,
        extra_include_paths=[str(files[0].parent)],
        build_directory=str(folder),
        verbose=True,
    )


def main(arguments: list[str]) -> int:
    """Build and say where the result is."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    checkout, folder = (Path(argument).resolve() for argument in arguments)
    try:
        build(checkout, folder)
    except FileNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"built {folder}/{EXTENSION}.so; put the folder on PYTHONPATH")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
