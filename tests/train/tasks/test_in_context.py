"""Prompts against a plain reading of them: real path-stars, drawn uniformly, the same anywhere."""

from collections import Counter
from itertools import permutations

import pytest
import torch

from geomem.train.config.graph import PathStar
from geomem.train.config.task import InContext
from geomem.train.tasks.in_context import Source
from geomem.train.tasks.prompts import context_length, first_hop_at
from geomem.train.tasks.vocabulary import FIRST_NODE, Special

CPU = torch.device("cpu")
OPTIONS = {
    "plain": {},
    "labels": {"labels": 23},
    "all labels": {"labels": 10},
    "teacherless": {"teacherless": True},
    "reversed": {"reverse_paths": True},
    "reversed teacherless": {"reverse_paths": True, "teacherless": True, "pauses": 2},
    "hardest": {"target": "hardest_token"},
    "bare": {"delimiters": False, "pauses": 3},
}


def _source(arms, length, seeds=(0, 1, 2), purpose="training", **options):
    graph = PathStar(kind="path_star", arms=arms, length=length)
    task = InContext(kind="in_context", **options)
    return Source(seeds, purpose, graph, task, CPU), graph, task


def _edges(words, task):
    """Pairs of tokens from the part of a prompt in front of the separator."""
    if task.delimiters:
        assert words[2::3] == [Special.DELIMITER] * (len(words) // 3)
        return list(zip(words[0::3], words[1::3], strict=True))
    return list(zip(words[0::2], words[1::2], strict=True))


def _check_star(edges, root, goal, graph):
    """The edges are one path-star with that root; return the path to the goal."""
    parent = {child: above for above, child in edges}
    assert len(edges) == len(parent) == graph.edge_count, "a node has two parents"
    children = Counter(above for above, _ in edges)
    assert children.pop(root) == graph.arms
    assert set(children.values()) <= {1}
    leaves = parent.keys() - children.keys()
    assert len(leaves) == graph.arms
    assert goal in leaves
    paths = {}
    for leaf in leaves:
        path = [leaf]
        while path[-1] != root:
            path.append(parent[path[-1]])
        assert len(path) == graph.length
        paths[leaf] = path[::-1]
    return paths[goal]


def _check_example(words, targets, graph, task):
    separator = words.index(Special.PATH_SEPARATOR)
    edges = _edges(words[:separator], task)
    root, goal, tag, *rest = words[separator + 1 :]
    path = _check_star(edges, root, goal, graph)
    assert all(FIRST_NODE <= node < FIRST_NODE + (task.labels or 2 * graph.node_count)
               for edge in edges for node in edge)  # fmt: skip
    assert tag == Special.PATH
    assert rest[: task.pauses] == [Special.PAUSE] * task.pauses
    wanted = path[::-1] if task.reverse_paths else path
    if task.target == "hardest_token":
        wanted = path[1:2]
    assert targets == wanted
    seen = [Special.TEACHERLESS] * (len(wanted) - 1) if task.teacherless else wanted[:-1]
    assert rest[task.pauses :] == seen
    assert wanted[first_hop_at(graph, task)] == path[1]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(("arms", "length"), [(2, 4), (3, 4), (1, 3), (5, 2)])
def test_every_example_is_a_path_star_with_the_path_to_its_goal(name, arms, length):
    source, graph, task = _source(arms, length, **OPTIONS[name])
    examples = source.draw(7, 20)
    assert examples.tokens.shape == (3, 20, context_length(graph, task))
    for k in range(3):
        for words, targets in zip(examples.tokens[k], examples.targets[k], strict=True):
            _check_example(words.tolist(), targets.tolist(), graph, task)


@pytest.mark.parametrize(("arms", "length"), [(2, 5), (10, 5), (20, 5)])
def test_the_sizes_of_the_paper(arms, length):
    source, graph, task = _source(arms, length, seeds=[4])
    examples = source.draw(0, 6)
    for words, targets in zip(examples.tokens[0], examples.targets[0], strict=True):
        _check_example(words.tolist(), targets.tolist(), graph, task)
    assert len({tuple(t) for t in examples.targets[0].tolist()}) == 6


def test_an_example_does_not_depend_on_its_batch_or_its_company():
    source, _, _ = _source(3, 4)
    whole = source.draw(0, 30)
    part = source.draw(11, 5)
    alone = _source(3, 4, seeds=[2])[0].draw(13, 1)
    torch.testing.assert_close(part.tokens, whole.tokens[:, 11:16], rtol=0, atol=0)
    torch.testing.assert_close(alone.tokens[0, 0], whole.tokens[2, 13], rtol=0, atol=0)
    torch.testing.assert_close(alone.targets[0, 0], whole.targets[2, 13], rtol=0, atol=0)


def test_streams_differ():
    """Seeds, purposes and examples: with so many labels none is drawn twice."""
    training = _source(3, 4)[0].draw(0, 50).targets
    test = _source(3, 4, purpose="test")[0].draw(0, 50).targets
    paths = [tuple(path) for path in torch.cat([training, test]).flatten(0, 1).tolist()]
    assert len(set(paths)) == len(paths)


def _chi_square(counts, cells):
    """Over its degrees of freedom; about 1, and over 1.5 once in 10^5 times for 60 cells."""
    total = sum(counts.values())
    expected = total / cells
    found = sum((count - expected) ** 2 / expected for count in counts.values())
    found += (cells - len(counts)) * expected
    return found / (cells - 1)


def test_labels_are_uniform():
    source, graph, _ = _source(2, 3, seeds=[0], labels=8)
    targets = source.draw(0, 20_000).targets[0].tolist()
    for position in range(3):
        assert _chi_square(Counter(path[position] for path in targets), 8) < 4
    pairs = Counter((path[0], path[2]) for path in targets)
    assert len(pairs) == 8 * 7, "the labels of a prompt are distinct"
    assert _chi_square(pairs, 8 * 7) < 1.6
    assert graph.node_count == 5


def test_edges_stand_in_any_order_whatever_their_labels():
    source, _, _ = _source(2, 3, seeds=[0], labels=5)
    examples = source.draw(0, 24_000)
    orders, with_label = Counter(), Counter()
    for words, path in zip(examples.tokens[0].tolist(), examples.targets[0].tolist(), strict=True):
        edges = list(zip(words[0:12:3], words[1:12:3], strict=True))
        root, hop, goal = path
        (other,) = {child for above, child in edges if above == root} - {hop}
        name = {(root, hop): 0, (hop, goal): 1, (root, other): 2}
        order = tuple(name.get(edge, 3) for edge in edges)
        orders[order] += 1
        with_label[order[0], root] += 1
    assert set(orders) == set(permutations(range(4)))
    assert _chi_square(orders, 24) < 2.5
    assert _chi_square(with_label, 4 * 5) < 2.5
