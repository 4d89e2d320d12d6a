"""From layers of settings to validated runs."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from geomem.train.config.axes import combinations
from geomem.train.config.errors import Mark, Problems
from geomem.train.config.explain import Fault, explain
from geomem.train.config.graph import FileGraph
from geomem.train.config.graph_file import GraphFiles
from geomem.train.config.idle import Idle
from geomem.train.config.layers import Layers
from geomem.train.config.run import RunConfig, run_id
from geomem.train.config.settings import Patch, Settings, apply, values_of
from geomem.train.config.yaml_file import Node

MAX_FAULTY = 1_000  # configurations after which the same complaints would only repeat


class Expansion(NamedTuple):
    """The distinct configurations with seed 0, in order; how many equal ones were left out."""

    runs: list[RunConfig]
    repeated: int
    idle: Idle


def expand(layers: Layers, files: GraphFiles, problems: Problems) -> Expansion:
    """Put the layers together for every configuration of a grid."""
    quiet = len(problems) > 0  # a key that was refused above would be reported as missing too
    found: dict[str, RunConfig] = {}
    idle = Idle()
    repeated = faulty = 0
    for origin, settings in _layered(layers):
        run = validated(settings, origin, files, problems, quiet)
        if run is None:
            faulty += 1
            if faulty == MAX_FAULTY:
                break
        elif (identity := run_id(run)) in found:
            repeated += 1
        else:
            found[identity] = run
            idle.add(run, identity, settings)
    return Expansion(list(found.values()), repeated, idle)


def _layered(layers: Layers) -> Iterator[tuple[Mark, Settings]]:
    """Defaults < axes or the explicit run < overrides < --set; where sees the --set values too."""
    base: Settings = {}
    apply(base, layers.defaults)
    for origin, patches in _patches(layers):
        settings = dict(base)
        for patch in (*patches, layers.sets):
            apply(settings, patch)
        for rule in layers.overrides:
            if rule.matches(settings):
                apply(settings, rule.patch)
        apply(settings, layers.sets)
        # every rule has to be asked: each one counts its hits
        if not [rule for rule in layers.exclude if rule.matches(settings)]:
            yield origin, settings


def _patches(layers: Layers) -> Iterator[tuple[Mark, list[Patch]]]:
    if layers.has_product:
        for patches in combinations(layers.axes):
            yield layers.top, patches
    for origin, patch in layers.explicit:
        yield origin, [patch]


def validated(
    settings: Settings, origin: Mark, files: GraphFiles, problems: Problems, quiet: bool
) -> RunConfig | None:
    """The run of these settings, its files found; None, and the problems noted, if it has any."""
    try:
        run = RunConfig.model_validate(values_of(settings))
    except ValidationError as error:
        for fault in explain(error, RunConfig):
            if not (fault.missing and quiet):
                problems.add(_locate(fault, settings, origin), fault.key, fault.text)
        return None
    if isinstance(run.graph, FileGraph):
        return _with_graph_files(run, run.graph, settings, files, problems)
    return run


def _with_graph_files(
    run: RunConfig, graph: FileGraph, settings: Settings, files: GraphFiles, problems: Problems
) -> RunConfig | None:
    """The run with its graph's absolute paths and digests, None if a file is not as told."""
    known: dict[str, str] = {}
    before = len(problems)
    for name, digest_name in graph.FILES.items():
        path, told = getattr(graph, name), getattr(graph, digest_name)
        if path is None:
            continue
        try:
            known[name], digest = files.find(path)
        except ValueError as error:
            problems.add(settings[f"graph.{name}"].mark, f"graph.{name}", str(error))
            continue
        known[digest_name] = digest
        if told not in (None, digest):
            text = f"the file now has {digest}; check what changed, then write that or leave it out"
            problems.add(settings[f"graph.{digest_name}"].mark, f"graph.{digest_name}", text)
    if len(problems) > before:
        return None
    return run.model_copy(update={"graph": graph.model_copy(update=known)})


def _locate(fault: Fault, settings: Settings, origin: Mark) -> Mark:
    """The value, else its section's first value, else where the run comes from."""
    for path in (fault.path, *fault.related):
        node = settings.get(".".join(map(str, path[:2])))
        if node is not None:
            found = _inside(node, path[2:])
            return found.place if fault.unknown else found.mark
    section = fault.path[0] if fault.path else ""
    places = [n.place for path, n in settings.items() if path.partition(".")[0] == section]
    return min((p for p in places if p.file == origin.file), default=origin)


def _inside(node: Node, path: tuple[str | int, ...]) -> Node:
    for step in path:
        children = node.value
        if isinstance(children, dict) and step in children:
            node = children[str(step)]
        elif isinstance(children, list) and isinstance(step, int) and step < len(children):
            node = children[step]
    return node
