"""A small pack, and what it takes to alter it."""

import json

import numpy as np

from geomem.train.packs import open_pack

K, N, M = 3, 4, 5


def tensors():
    rng = np.random.default_rng(0)
    return {
        "embedding": rng.standard_normal((K, N, M)).astype(np.float32),
        "edges": np.array([[0, 1], [1, 2]], np.int64),
        "metrics/loss": rng.random((K, 2)).astype(np.float32),
        "flags": np.array([True, False, True]),
        "nothing": np.zeros((K, 0), np.float64),
    }


def metadata(members=K):
    row = {"seed": 0, "status": "done", "steps": 20, "config": {"optim": {"lr": 1e-3}}}
    return {"members": [{"run": f"{k:064x}", **row} for k in range(members)], "shared": ["edges"]}


def split(path):
    """The header as an object, and the bytes of the tensors."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(path, header, payload=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + payload)


def contents(path):
    pack = open_pack(path)
    return pack.metadata, {name: pack.tensor(name).tobytes() for name in pack.names}
