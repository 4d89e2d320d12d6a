"""JSON Schema (2020-12) of grid files, for editors; made from the models and their docstrings.

It knows the form of a file. What takes several values to see (heads that do not divide the
width, axes of unequal length) only load_grid finds.
"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from geomem.train.config.catalog import GROUPS, SECTIONS
from geomem.train.config.execution import Execution
from geomem.train.config.grid_file import MAX_NAME, VERSION
from geomem.train.config.seeds import LARGEST_SEED, TEXT_PATTERN

Schema = dict[str, Any]


def grid_schema() -> Schema:
    """The schema of a whole file; `$defs` has one entry for each field of a run."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "geomem grid file",
        **_mapping(_top_level(), required=["version"]),
        "$defs": {
            "fields": _dotted_too(_ref, _same),
            "axes": _dotted_too(
                lambda name: _either(_list(_ref(name)), _nested(name, _list)), _list
            ),
            "where": {
                **_dotted_too(lambda name: _nested(name, _condition), _condition),
                "minProperties": 1,
                "description": "Fields, each with the value or the list of values that match.",
            },
            **{name: _section(name) for name in SECTIONS},
            **{f"{name}.{key}": s for name in SECTIONS for key, s in _fields(name).items()},
        },
    }


def _top_level() -> Schema:
    axes, where, fields = _ref("axes"), _ref("where"), _ref("fields")
    override = _mapping({"where": where, "set": fields}, required=["where", "set"])
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
    return {
        "version": {"const": VERSION, "description": "Version of this format."},
        "name": {**name, "description": "Shown to people; default: the file's name."},
        "defaults": {**fields, "description": "Fields of every run."},
        "grid": {**axes, "description": "Axes; every combination of their values is run."},
        "zip": _list(axes, "Each mapping: axes walked in lockstep, together one more axis."),
        "runs": _list(fields, "Single runs on top of defaults, added to the product."),
        "overrides": _list(override, "Fields set, in this order, in the runs that match."),
        "exclude": _list(where, "Runs that match one of these are left out."),
        "seeds": _seeds(),
        "execution": {**_plain(Execution), "description": "How, not what: changes no result."},
    }


def _seeds() -> Schema:
    one = {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}
    text = {"type": "string", "pattern": TEXT_PATTERN}
    return {
        "anyOf": [one, text, _list({"anyOf": [one, text]})],
        "description": "A seed (7), a range (0-31), both (0-3,8) or a list of them; default 0.",
    }


def _section(name: str) -> Schema:
    """A whole section of one kind, or some fields for a section whose kind is given elsewhere."""
    kinds = SECTIONS[name].kinds
    whole = [{**_plain(model), "required": ["kind"]} for kind, model in kinds.items() if kind]
    some = {key: _ref(f"{name}.{key}") for key in _fields(name) if not (whole and key == "kind")}
    return _either(*whole, _mapping(some))


def _fields(name: str) -> Schema:
    """Each field of a section, those of its groups (stop_when.metric) too."""
    found: dict[str, list[Schema]] = {}
    for model in SECTIONS[name].kinds.values():
        for key, schema in _plain(model)["properties"].items():
            found.setdefault(key, []).append(schema)
    for path, group in GROUPS.items():
        section, _, key = path.partition(".")
        if section == name:
            properties = _plain(group)["properties"]
            found |= {f"{key}.{inner}": [schema] for inner, schema in properties.items()}
    return {key: _either(*schemas) for key, schemas in found.items()}


def _nested(name: str, wrap: Callable[[Schema], Schema]) -> Schema:
    """A section whose fields are lists (an axis) or conditions instead of values."""
    found = {key: wrap(_ref(f"{name}.{key}")) for key in _fields(name)}
    for path, group in GROUPS.items():
        section, _, key = path.partition(".")
        if section == name:
            inner = {i: wrap(_ref(f"{path}.{i}")) for i in group.model_fields}
            found[key] = _either(found[key], _mapping(inner))
    return _mapping(found)


def _dotted_too(section: Callable[[str], Schema], wrap: Callable[[Schema], Schema]) -> Schema:
    """A mapping that takes sections, and dotted names of fields."""
    dotted = [f"{name}.{key}" for name in SECTIONS for key in _fields(name)]
    sections = {name: section(name) for name in SECTIONS}
    return _mapping({**sections, **{path: wrap(_ref(path)) for path in dotted}})


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _same(schema: Schema) -> Schema:
    return schema


def _condition(schema: Schema) -> Schema:
    return _either(schema, _list(schema))


def _list(items: Schema, description: str = "") -> Schema:
    found: Schema = {"type": "array", "items": items, "minItems": 1}
    return {**found, "description": description} if description else found


def _mapping(properties: Schema, required: list[str] | None = None) -> Schema:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _either(*schemas: Schema) -> Schema:
    """Any of the schemas, equal ones once."""
    distinct = [schema for i, schema in enumerate(schemas) if schema not in schemas[:i]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _plain(model: type[BaseModel]) -> Schema:
    """A model's own schema without titles, references and required fields."""
    schema = model.model_json_schema()
    found: Schema = _inline(schema, schema.get("$defs", {}))
    return found


def _inline(value: Any, definitions: Schema) -> Any:
    if isinstance(value, list):
        return [_inline(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inline(definitions[value["$ref"].rpartition("/")[2]], definitions)
    dropped = [
        key
        for key, item in value.items()
        if (key == "title" and isinstance(item, str))
        or (key == "required" and isinstance(item, list))
        or key == "$defs"
    ]
    return {key: _inline(item, definitions) for key, item in value.items() if key not in dropped}
