"""What every section of the schema is made of: the base of them, and the ranges of numbers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 10**9  # more than any machine can take, and less than what no array can have
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Few = Annotated[int, Field(ge=1, le=100)]  # of layers, each of which is built by itself
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


Code = Annotated[
    str,
    Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$", description="package.module:Name"),
]
Options = dict[str, Any]  # of code that is not ours: what a YAML file can say

CUSTOM = "custom"  # the name of a cell or a task that is code of the user's


class Section(BaseModel):
    """A mapping of known keys to values of known types."""

    # Strict: `units: "100"` and `steps: 10.5` are mistakes to be told of, not to be guessed at.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
