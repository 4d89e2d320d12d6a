"""Dropout on a device."""

import pytest
import torch

from geomem.kernels import dropout
from tests.kernels import dropout_cases as cases

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize(
    "shape", [(4096, 17, 32), (64, 802, 64), (1, 4000, 384), (2, 9, 3136), (3, 5, 33), (5,)]
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_every_shape(shape, dtype):
    cases.hold(*cases.inputs(*shape, dtype=dtype, device="cuda"), "triton")


@pytest.mark.parametrize("site", cases.SITES)
def test_every_counter(site):
    cases.hold(*cases.inputs(4, 1030, site=site, device="cuda"), "triton")


def test_a_device_draws_what_a_cpu_draws():
    given = cases.inputs(4, 5, 33)
    there = dropout(*(t.cuda() for t in given), impl="triton")
    assert cases.same_bits(there.cpu(), dropout(*given))


def test_how_it_behaves():
    cases.hold_numbers("triton", "cuda")
    cases.member_alone_equals_member_in_a_stack("triton", "cuda")
    cases.views_are_what_their_copies_are("triton", "cuda")
    cases.as_many_as_the_rates_say("triton", "cuda")


def test_a_graph_reads_the_site_anew():
    x, keys, rates, site = cases.inputs(4, 5, 33, device="cuda")
    dropout(x, keys, rates, site, impl="triton")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = dropout(x, keys, rates, site, impl="triton")
    for value in cases.SITES:
        site.fill_(value)
        graph.replay()
        assert cases.same_bits(y, dropout(x, keys, rates, site, impl="reference"))


def test_more_elements_than_32_bits_count():
    K, count = 5, 1 << 29
    x = torch.ones(K, 1, device="cuda", dtype=torch.bfloat16).expand(K, count).contiguous()
    _, keys, rates, site = cases.inputs(K, 1, device="cuda")
    y = dropout(x, keys, rates, site, impl="triton")
    for k in (0, K - 1):
        own = [t[k : k + 1] for t in (x, keys, rates)]
        assert torch.equal(y[k : k + 1], dropout(*own, site, impl="reference"))
