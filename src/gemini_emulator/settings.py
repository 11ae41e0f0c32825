"""What the operator of an emulator may choose, read once and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypedDict

PictureStyle = Literal["drawn", "flat"]


class Options(TypedDict, total=False):
    """The fields of Settings besides the day, as keyword arguments."""

    latency: float
    pictures: PictureStyle
    signature_bytes: int
    free_searches: int
    seed: int
    bad_keys: frozenset[str]
    new_project: bool
    unentitled: frozenset[str]
    usage_tier: int | None
    batch_polls: int
    batch_seconds: float
    log_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one emulator behaves.

    as_of            the day it pretends to be (UTC, its clock starts at noon); None: today
    latency          scale of the recorded latencies, 0.0 (answer at once) to 1.0 (as slow as recorded)
    pictures         drawn: pictures that show the prompt; flat: one colour of the exact size, for load tests
    signature_bytes  size of a thought signature before base64; recorded ones are 450,000 to 2,200,000 bytes
    free_searches    grounding queries that cost nothing before the first is billed
    seed             of every random choice (fault probabilities, ids)
    bad_keys         API keys refused as invalid, besides any that starts with "bad"
    new_project      True: models closed to new users answer 404 from the day they were closed
    unentitled       model ids that answer 404 although models.list shows them
    usage_tier       1, 2 or 3: keep the published limits of that tier; None: no limits
    batch_polls      a batch job is done at this poll, or when batch_seconds of its clock have passed
    log_size         received requests kept for GET /emulator/requests
    """

    as_of: date | None = None
    latency: float = 0.0
    pictures: PictureStyle = "drawn"
    signature_bytes: int = 12_000
    free_searches: int = 0
    seed: int = 0
    bad_keys: frozenset[str] = frozenset()
    new_project: bool = False
    unentitled: frozenset[str] = frozenset()
    usage_tier: int | None = None
    batch_polls: int = 3
    batch_seconds: float = 378.0
    log_size: int = 1000

    def __post_init__(self) -> None:
        if not 0.0 <= self.latency <= 1.0:
            raise ValueError(f"latency is {self.latency}; give a scale from 0.0 to 1.0")
        if self.signature_bytes < 64:
            raise ValueError(f"signature_bytes is {self.signature_bytes}; a signature needs at least 64")
        if self.usage_tier not in {None, 1, 2, 3}:
            raise ValueError(f"usage_tier is {self.usage_tier}; give 1, 2, 3 or None")
        if self.batch_polls < 1:
            raise ValueError(
                f"batch_polls is {self.batch_polls}; a job is done at its first poll at the earliest"
            )
