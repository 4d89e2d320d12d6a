"""Labels of configurations: one for each in the whole of a figure, and no two alike."""

import itertools

from geomem.analysis.figures.evolution import measures_over_steps
from geomem.analysis.figures.groups import grouped
from geomem.analysis.figures.size import accuracy_against_size
from geomem.analysis.sweeps import Member, OpenPack
from tests.analysis.facts.made import run_of
from tests.analysis.made import MadePack, make_members

FOUR = {
    "model.token_std": (0.02, 0.2),
    "optim.lr": (0.01, 0.03),
    "optim.weight_decay": (0.0, 0.01),
    "train.edge_batch": (16, 32),
}
PLAIN = "transformer, token_std {}, lr {}, weight_decay {:g}, edge_batch {}"


def _star(arms, length=4):
    return {"kind": "path_star", "arms": arms, "length": length}


def _sixteen():
    """A run of every configuration of four fields of two values each, and its label."""
    for values in itertools.product(*FOUR.values()):
        std, lr, decay, batch = values
        (member,) = make_members(
            1,
            model={"kind": "transformer", "layers": 1, "width": 16, "heads": 2, "token_std": std},
            optim={"lr": lr, "weight_decay": decay},
            train={"edge_batch": batch},
        )
        yield PLAIN.format(*values), member


def test_every_differing_field_is_named_however_many_they_are():
    labels, members = zip(*_sixteen(), strict=True)
    assert tuple(group.label for group in grouped(members)) == labels


def test_each_configuration_has_a_legend_entry_and_a_line_of_its_own():
    labels, members = zip(*_sixteen(), strict=True)
    figure = measures_over_steps(members)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert tuple(" ".join(text.split()) for text in texts) == labels
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}
    assert len(styles) == len(members)
    figure.draw_without_rendering()
    assert legend.get_window_extent().width <= figure.bbox.width


def test_one_configuration_has_one_label_on_all_graphs():
    cells = [(12, 0.01), (12, 0.03), (16, 0.01)]
    members = [make_members(1, _star(arms), optim={"lr": lr})[0] for arms, lr in cells]
    found = [(group.label, group.graph) for group in grouped(members)]
    assert found == [
        ("transformer, lr 0.01", "path-star (12, 4)"),
        ("transformer, lr 0.03", "path-star (12, 4)"),
        ("transformer, lr 0.01", "path-star (16, 4)"),
    ]
    colours = [ax.lines[0].get_color() for ax in measures_over_steps(members).axes[:2]]
    assert colours[0] == colours[1]


def test_configurations_of_different_graphs_are_not_one():
    cells = [(12, 0.001), (16, 0.03)]
    members = [make_members(1, _star(arms), optim={"lr": lr})[0] for arms, lr in cells]
    labels = ["transformer, lr 0.001", "transformer, lr 0.03"]
    assert [group.label for group in grouped(members)] == labels
    left, right, *_ = measures_over_steps(members).axes
    assert left.lines[0].get_color() != right.lines[0].get_color()
    assert _legend(accuracy_against_size(members))[:2] == labels


def test_what_stands_beside_no_graph_names_it():
    members = [make_members(1, _star(6, length))[0] for length in (3, 4)]
    assert {group.label for group in grouped(members)} == {"transformer"}
    labels = ["transformer, length 3", "transformer, length 4"]
    assert _legend(accuracy_against_size(members))[:2] == labels


def test_graphs_of_one_name_are_told_apart(tmp_path):
    first, other = (
        make_members(1, _file(tmp_path, name), {"recipe": "edges_only"})[0] for name in ("a", "b")
    )
    path = first.row["graph.path"]
    assert [group.graph for group in grouped([first, other])] == [
        f"edge-list, path {member.row['graph.path']}" for member in (first, other)
    ]
    other.row["graph.path"] = path  # of another sweep, where the file had another text
    for member, letter in ((first, "a"), (other, "b")):
        member.row["graph.sha256"] = letter * 64
    names = [group.graph for group in grouped([first, other])]
    assert names == ["edge-list, sha256 aaaaaaaa", "edge-list, sha256 bbbbbbbb"]


def test_one_off_variants_do_not_name_what_most_have():
    changes = [{}, {"lr": 0.03}, {"weight_decay": 0.1}, {"clip": 1.0}, {"warmup_steps": 5}]
    members = [make_members(1, optim=change)[0] for change in changes]
    assert [group.label for group in grouped(members)] == [
        "transformer",
        *(f"transformer, {name} {value:g}" for change in changes for name, value in change.items()),
    ]


def test_facts_have_no_paths_to_lack():
    several = {"hops": 2, "test_fraction": 0.25}
    members = [_of_facts({}), _of_facts(several, held_out=[0, 1])]
    assert [group.label for group in grouped(members)] == ["recall", "recall, 2 hops, direct"]
    star, edges = make_members(1), make_members(1, task={"recipe": "edges_only"})
    labels = [group.label for group in grouped([*star, *edges, *members])]
    assert labels[1:3] == ["transformer, no paths", "recall"]


def _of_facts(task, **shared):
    run = run_of(16, 2, task=task)
    own = {"run": "0" * 64, "status": "done", "steps": 5, "config": run.model_dump(mode="json")}
    return Member(OpenPack(MadePack([own], {}, shared)), 0)


def _file(folder, name):
    """The graph of a file of edges; the two have the nodes, but not the edges, in common."""
    path = folder / f"{name}.txt"
    ends = ["0 1", "1 2", "2 3", "3 4"] if name == "a" else ["0 4", "4 2", "2 1", "1 3"]
    path.write_text("\n".join(ends) + "\n")
    return {"kind": "edge_list", "path": str(path)}


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]
