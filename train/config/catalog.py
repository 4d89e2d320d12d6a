"""Which fields a run has: read from the models once, for checks, hints and the schema.

A path is a dotted name: `model` (a section), `model.width` (a field), `train.stop_when` (a field
that is a group of its own) or `train.stop_when.metric`.
"""

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from geomem.train.config.run import RunConfig
from geomem.train.config.words import close_to, describe, did_you_mean, either, shorten

UNSET: Any = object()


def classes_of(annotation: Any) -> list[type[BaseModel]]:
    """The models among the members of a type (`A`, `A | B`, `A | None`)."""
    members = get_args(annotation) or (annotation,)
    return [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]


def kind_of(model: type[BaseModel]) -> str:
    """The model's `kind`; empty for a section that has only one form."""
    field = model.model_fields.get("kind")
    return str(get_args(field.annotation)[0]) if field else ""


@dataclass(frozen=True)
class SectionInfo:
    """One section of a run: its forms by kind (a single nameless one where there is no choice).

    optional: whether a run may go without.
    """

    kinds: dict[str, type[BaseModel]]
    default_kind: str | None
    optional: bool

    @property
    def fields(self) -> list[str]:
        """Of all kinds, each name once."""
        return list(dict.fromkeys(name for m in self.kinds.values() for name in m.model_fields))


def _section(field: FieldInfo) -> SectionInfo:
    kinds = {kind_of(model): model for model in classes_of(field.annotation)}
    default = "" if "" in kinds else getattr(field.get_default(), "kind", None)
    return SectionInfo(kinds, default, not field.is_required() and field.default is None)


SECTIONS = {
    name: _section(field)
    for name, field in RunConfig.model_fields.items()
    if classes_of(field.annotation)
}


def _groups() -> dict[str, type[BaseModel]]:
    return {
        f"{section}.{name}": group
        for section, info in SECTIONS.items()
        for model in info.kinds.values()
        for name, field in model.model_fields.items()
        for group in classes_of(field.annotation)
    }


GROUPS = _groups()
FIELDS = frozenset(f"{name}.{field}" for name, info in SECTIONS.items() for field in info.fields)
PATHS = (
    FIELDS
    | frozenset(SECTIONS)
    | frozenset(f"{path}.{name}" for path, group in GROUPS.items() for name in group.model_fields)
)


def default_of(path: str, kind: str) -> Any:
    """The default of `section.field` in that kind (tuples as lists), UNSET if there is none."""
    section, _, name = path.partition(".")
    model = SECTIONS[section].kinds.get(kind)
    field = model.model_fields.get(name) if model else None
    if field is None or field.is_required():
        return UNSET
    value = field.get_default(call_default_factory=True, validated_data={})
    return list(value) if isinstance(value, tuple) else value


def unknown_field(path: str, kind: str = "") -> str:
    """Why a run (whose section has that kind) has no such field, and which may have been meant."""
    section, _, name = path.partition(".")
    if path in ("seed", "seeds"):
        return "seeds belong to the top level of the file, for example `seeds: 0-3`"
    if path not in FIELDS:
        own = SECTIONS[section].kinds[kind].model_fields if kind else ()
        near = [f"{section}.{field}" for field in close_to(name, own)]
        return f"unknown key{did_you_mean(near or guess_path(path))}"
    owners = [
        owner for owner, model in SECTIONS[section].kinds.items() if name in model.model_fields
    ]
    return (
        f"a field of kind {either(owners)}, and this {section} is of kind {kind}; leave it out, "
        f"set it in overrides with `where: {{{section}.kind: {owners[0]}}}`, "
        f"or give whole {section} mappings as one axis"
    )


def unknown_kind(section: str, kind: Any) -> str:
    """Which kinds there are instead."""
    kinds = list(SECTIONS[section].kinds)
    if not isinstance(kind, str):
        return f"expected the name of a kind, got {describe(kind)}; choose {either(kinds)}"
    guess = did_you_mean(close_to(kind, kinds))
    return f"unknown kind '{shorten(kind)}'; choose {either(kinds)}{guess}"


def guess_path(path: str) -> list[str]:
    """Paths alike in the same section or group, of the same name in another, or alike at all."""
    parent, _, name = path.rpartition(".")
    siblings = GROUPS[parent].model_fields if parent in GROUPS else ()
    near = close_to(name, SECTIONS[parent].fields if parent in SECTIONS else siblings)
    if near:
        return [f"{parent}.{near[0]}"]
    ends: dict[str, list[str]] = {}
    for known in sorted(FIELDS):
        ends.setdefault(known.rpartition(".")[2], []).append(known)
    if name in ends:
        return ends[name]
    known_parent = parent in SECTIONS or parent in GROUPS  # its name would weigh in the comparison
    near = [] if known_parent else close_to(path, PATHS)
    near = near or close_to(name, ends)
    return ends.get(near[0], near) if near else []
