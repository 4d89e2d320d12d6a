"""The points of `geomem-bench throughput`. No torch."""

from geomem.bench.throughput.points import (
    Goal,
    GoalPoint,
    KernelPoint,
    MemoryPoint,
    Point,
    Shape,
    StepPoint,
    SweepPoint,
)

SMOKE_SHAPES = (Shape(3), Shape(1))
_SMALL = {"kind": "transformer", "layers": 2, "width": 64, "heads": 4}
_PAPER = {"kind": "transformer", "layers": 12, "width": 384, "heads": 8}
_SMOKE = {"kind": "transformer", "layers": 1, "width": 16, "heads": 2}
_MIXED = {"recipe": "mixed", "pauses": 1}
_G16 = {"kind": "path_star", "arms": 16, "length": 5}
_G256 = {"kind": "path_star", "arms": 256, "length": 5}
_G5000 = {"kind": "path_star", "arms": 5000, "length": 5}
_FAST = {"lr": 4e-3, "warmup_steps": 50}
_SMOKE_SECTIONS = {
    "graph": _G16,
    "model": _SMOKE,
    "train": {"edge_batch": 32, "path_batch": 6},
}

TINY = StepPoint(
    "path-star(4, 5), edges only, full batch, one layer, width 32",
    {
        "graph": {"kind": "path_star", "arms": 4, "length": 5},
        "task": {"recipe": "edges_only"},
        "model": {"kind": "transformer", "layers": 1, "width": 32, "heads": 4},
        "optim": {"lr": 1e-2, "warmup_steps": 10},
        "train": {},
    },
    {},
    {
        "cpu": (
            *(Shape(256), Shape(128, processes=2), Shape(1)),
            Shape(128, processes=2, compile=True),
        ),
        "cuda": (Shape(4096), Shape(4096, precision="bf16"), Shape(256), Shape(1)),
    },
)
G256 = StepPoint(
    "G(256, 5) mixed, 512 + 48 examples, two layers, width 64",
    {
        "graph": _G256,
        "task": _MIXED,
        "model": _SMALL,
        "optim": _FAST,
        "train": {"edge_batch": 512, "path_batch": 48},
    },
    _SMOKE_SECTIONS,
    {
        "cpu": (
            *(Shape(8), Shape(4, processes=2), Shape(8, processes=2)),
            *(Shape(1), Shape(1, threads=2), Shape(1, processes=2)),
            *(Shape(4, processes=2, compile=True), Shape(1, processes=2, compile=True)),
            Shape(1, threads=2, compile=True),
        ),
        "cuda": (Shape(512, precision="bf16"), Shape(512), Shape(64), Shape(1)),
    },
)
_SMALL_G5000 = {
    "graph": _G5000,
    "task": _MIXED,
    "model": _SMALL,
    "optim": _FAST,
    "train": {"edge_batch": 1024, "path_batch": 48},
}
_PAPER_G5000 = {  # the learning rate is ours: the paper's 5e-5 goes with 50 000 epochs
    "graph": _G5000,
    "task": {"recipe": "mixed", "pauses": 5},
    "model": _PAPER,
    "optim": {"lr": 5e-4, "warmup_steps": 100},
    "train": {"edge_batch": 1952, "path_batch": 96, "precision": "bf16"},
}
G5000 = GoalPoint(
    "G(5000, 5) to a held-out exact match of 90 % (95 % on a GPU)",
    {
        "cpu": (
            Goal("two layers, width 64, 1024 + 48", _SMALL_G5000, 1000, 50, 0.9, 240, threads=2),
        ),
        "cuda": (
            Goal("two layers, width 64, 1024 + 48", _SMALL_G5000, 1000, 50, 0.95, 60),
            Goal("12 layers, width 384, 1952 + 96", _PAPER_G5000, 3000, 100, 0.95, 300),
        ),
    },
    (Goal("smoke", {**_SMALL_G5000, **_SMOKE_SECTIONS}, 6, 2, 1.0, 60),),
)
G5000_STEPS = StepPoint(
    "G(5000, 5) mixed, 1952 + 96 examples, the paper's 12 layers of width 384",
    _PAPER_G5000,
    _SMOKE_SECTIONS,
    {"cuda": (Shape(1, precision="bf16"), Shape(1))},
)
_SWEEP = {
    "version": 1,
    "name": "sweep1000",
    "defaults": {
        "task": _MIXED,
        "model": _SMALL,
        "optim": _FAST,
        "train": {"steps": 400, "edge_batch": 512, "path_batch": 48},
        "graph": _G256,
    },
    "grid": {"graph.arms": [64, 128, 256, 512, 1024]},
    "overrides": [{"where": {"graph.arms": 1024}, "set": {"train.edge_batch": 1024}}],
    "seeds": "0-199",
}
SWEEP1000 = SweepPoint(
    "1000 path-star runs, 64 to 1024 arms and 200 seeds each, packs written",
    _SWEEP,
    {
        "version": 1,
        "name": "sweep4",
        "defaults": {
            "task": _MIXED,
            "optim": _FAST,
            **_SMOKE_SECTIONS,
            "train": {"steps": 4, "edge_batch": 16, "path_batch": 4},
        },
        "grid": {"graph.arms": [8, 16]},
        "seeds": "0-1",
    },
    600,
)
MEMORY = MemoryPoint(
    "G(10 000, 10), 90 001 nodes, 12 layers, width 784, 2048 examples: some steps of one run",
    {
        "graph": {"kind": "path_star", "arms": 10_000, "length": 10},
        "task": {"recipe": "mixed", "pauses": 10},
        "model": {**_PAPER, "width": 784},
        "optim": {"lr": 5e-5, "warmup_steps": 100},
        "train": {"edge_batch": 1952, "path_batch": 96, "precision": "bf16"},
    },
    _SMOKE_SECTIONS,
)
MAMBA = KernelPoint("Mamba on path-star graphs against transformers' slow path", "mamba_step")

POINTS: dict[str, Point] = {
    "tiny": TINY,
    "g256": G256,
    "g5000": G5000,
    "g5000_steps": G5000_STEPS,
    "mamba": MAMBA,
    "sweep1000": SWEEP1000,
    "memory": MEMORY,
}
