"""What the configurations of desk, books and strategies have in common."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

AssetClass = Literal["stock", "etf", "crypto", "fx", "option", "index", "future"]


class Model(BaseModel):
    """Base of all configuration: unknown keys, NaN and infinities are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    # One for both: a validator is built for each field of each model whenever a program starts.
    @field_validator("*", mode="before")
    @classmethod
    def _nothing_is_taken_for_another_type(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse ``true`` for a number, and a number for a date: pydantic reads 1, and seconds since 1970."""
        if not isinstance(value, int | float):
            return value
        asked = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and asked in (int, float):
            raise ValueError("must be a number, not true or false")
        if asked in (date, date | None):
            raise ValueError("must be a date such as 2020-01-31")
        return value
