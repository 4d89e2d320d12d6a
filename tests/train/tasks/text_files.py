"""Text data sets as the paper's release has them, made from a graph of ours."""

from geomem.train.config.one_run import read_run
from geomem.train.config.task import InWeights
from geomem.train.tasks.edge_examples import edge_examples
from geomem.train.tasks.graphs import build_graph
from geomem.train.tasks.in_weights import held_out_paths

SHORT = {
    "task.recipe": "mixed",
    "model": {"kind": "transformer", "layers": 1, "width": 8, "heads": 2},
    "optim.lr": 1e-2,
    "train": {"steps": 12, "eval_every": 4, "edge_batch": 16, "path_batch": 4},
}
EDGES = "r=a\na=r\na=x\nx=a\nr=b\nb=r\nb=y\ny=b\n"


def write_files(folder, graph, seed=0, name=str, **task):
    """Write the edges and the split of a graph; return the section that reads them.

    name: from the number of a node to what it is called.
    """
    fields = {"model": {"kind": "transformer"}, "optim.lr": 1, "train.steps": 1}
    built = build_graph(read_run({**fields, "graph": graph}).graph)
    task = InWeights(kind="in_weights", recipe="mixed", **task)
    held_out = set(held_out_paths(built, task, seed).tolist())
    edges = [f"{name(u)}={name(v)}" for u, v in edge_examples(built, task).tolist()]
    sides = {"train": [], "test": []}
    for at, path in enumerate(built.paths.tolist()):
        text = f"{name(path[-1])}={','.join(map(name, path))}"
        sides["test" if at in held_out else "train"].append(text)
    files = {"edge_file": edges} | {f"{side}_file": lines for side, lines in sides.items()}
    for field, lines in files.items():
        (folder / f"{field}.txt").write_text("\n".join(lines) + "\n")
    return {"kind": "text"} | {field: str(folder / f"{field}.txt") for field in files}
