"""What the configurations of desk, books and strategies have in common."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

AssetClass = Literal["stock", "etf", "crypto", "fx", "option", "index", "future"]


class Model(BaseModel):
    """Base of all configuration: unknown keys, NaN and infinities are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse ``true`` where a number is asked for: pydantic would read it as 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, float):
            raise ValueError("must be a number, not true or false")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _number_is_no_date(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse a number where a date is asked for: pydantic would read it as seconds since 1970."""
        asked = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, int | float) and asked in (date, date | None):
            raise ValueError("must be a date such as 2020-01-31")
        return value
