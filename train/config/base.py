"""What every section of a run's configuration shares."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen group of fields; unknown keys and silent type conversions are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
