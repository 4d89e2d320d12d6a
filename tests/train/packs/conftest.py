"""A small pack on the disk."""

import pytest

from geomem.train.packs import write_pack
from tests.train.packs.samples import metadata, tensors


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    write_pack(path, tensors(), metadata())
    return path
