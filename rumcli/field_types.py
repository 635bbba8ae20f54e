"""Base class of the schema's sections, and constrained field types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 10**9  # above any feasible size, and below the limits of arrays
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Few = Annotated[int, Field(ge=1, le=100)]  # number of layers, each built separately
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


Code = Annotated[
    str,
    Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$", description="package.module:Name"),
]
Options = dict[str, Any]  # of custom code: any value that YAML can represent

CUSTOM = "custom"  # name of a user-defined cell or task


class Section(BaseModel):
    """A mapping of known keys to values of known types."""

    # Strict: `units: "100"` and `steps: 10.5` are errors and are not coerced.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
