"""What the server asks the painter for. Holds no wire format and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MediaType = Literal["image/png", "image/jpeg"]

LONGEST_SIDE = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """One picture to paint.

    `width` and `height` are pixels and are met exactly; `references` are encoded image files;
    `letters` are the texts to write into the picture, in order; `text_grade` runs from 5 (exact)
    to 1 (about 45 % of the letters wrong); `draft` asks for a visibly rough sketch.

    Raises ValueError when a size or the grade is out of range.
    """

    prompt: str
    model: str
    seed: int | None
    width: int
    height: int
    references: tuple[bytes, ...]
    letters: tuple[str, ...]
    text_grade: int
    media_type: MediaType
    draft: bool = False

    def __post_init__(self) -> None:
        if not (16 <= self.width <= LONGEST_SIDE and 16 <= self.height <= LONGEST_SIDE):
            raise ValueError(
                f"a picture of {self.width}x{self.height} px cannot be painted: "
                f"give each side between 16 and {LONGEST_SIDE} px"
            )
        if not 1 <= self.text_grade <= 5:
            raise ValueError(f"text_grade {self.text_grade} is unknown: give 1 (worst) to 5 (exact)")
