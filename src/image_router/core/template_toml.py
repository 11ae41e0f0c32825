"""A template's file → Template; what is wrong is refused with file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from image_router.core.errors import ConfigError
from image_router.core.template import ASKED, PICTURE, Expander, Pattern, PictureTemplate, Template
from image_router.core.toml_table import Table, TomlFile, flag, many, text


def parse_template(file: TomlFile) -> Template:
    """[row] says what all pictures of a line have in common, each [[pictures]] one of them, in order.

    Raises ConfigError naming file, line, key and reason.
    """
    top = file.read()
    row = top.table("row")
    subject = row.get("subject", _pattern, default=_NOTHING)
    key = row.get("key", _pattern, default=None)
    carry: tuple[str, ...] = row.get("carry", many(text), default=_NO_COLUMNS)
    common = _asked(row)
    row.done()
    template = Template(
        name=top.take("name", text),
        description=top.take("description", text),
        pictures=tuple(_picture(table, common) for table in top.rows("pictures")),
        subject=subject,
        key=key,
        carry=carry,
    )
    top.done()
    _check(template, top)
    return template


_NOTHING: Final = Pattern.of("")
_NO_COLUMNS: Final[tuple[str, ...]] = ()


def _picture(table: Table, common: Mapping[str, Pattern]) -> PictureTemplate:
    picture = PictureTemplate(
        name=table.take("name", text),
        reference=table.get("reference", flag, default=False),
        given=table.get("given", _pattern, default=None),
        each=table.get("each", _pattern, default=None),
        key=table.get("key", _pattern, default=None),
        asked={**common, **_asked(table)},
    )
    table.done()
    if "prompt" not in picture.asked:
        raise table.error("prompt", "is missing, here and in [row]")
    return picture


def _check(template: Template, top: Table) -> None:
    if PICTURE in template.carry:
        raise top.error("row.carry", f"{PICTURE!r} is what the manifest calls the picture; rename the column")
    names = [picture.name for picture in template.pictures]
    if len(set(names)) < len(names):
        raise top.error("pictures", f"two have the same name: {', '.join(names)}")
    references = [place for place, picture in enumerate(template.pictures) if picture.reference]
    if references not in ([], [0]):
        raise top.error("pictures", "one picture may be the reference, and it stands first")
    for picture in template.pictures:
        if picture.given and not picture.reference:
            raise top.error("pictures", f"{picture.name}: `given` is for the reference")
        if picture.each and (twin := next((name for name in names if _numbered(name, picture)), None)):
            raise top.error("pictures", f"{twin} may be one of the pictures of {picture.name}; rename it")
    try:
        Expander(template)
    except ConfigError as problem:
        raise top.error("pictures", str(problem)) from None


def _numbered(name: str, picture: PictureTemplate) -> bool:
    head, dash, number = name.rpartition("-")
    return bool(dash) and head == picture.name and number.isdecimal()


def _asked(table: Table) -> dict[str, Pattern]:
    return {name: table.take(name, _pattern) for name in ASKED if name in table.values}


def _pattern(value: Any) -> Pattern:
    try:
        return Pattern.of(text(value))
    except ConfigError as problem:
        raise ValueError(str(problem)) from None
