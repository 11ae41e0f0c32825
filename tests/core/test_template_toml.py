"""A template's file is refused with the place that is wrong."""

from __future__ import annotations

import pytest

from image_router.core.errors import ConfigError
from image_router.core.template import Expander
from image_router.core.template_toml import parse_template
from image_router.core.toml_table import TomlFile

HEAD = 'name = "mine"\ndescription = "d"\n'


def parse(text: str, head: str = HEAD) -> object:
    return parse_template(TomlFile(name="mine.toml", text=head + text))


def test_what_all_pictures_have_in_common_stands_once() -> None:
    made = parse_template(
        TomlFile(
            name="mine.toml",
            text=HEAD
            + '[row]\nsubject = "{sku}"\nkey = "{sku}"\ncarry = ["shelf"]\nsize = "2K"\n'
            + '[[pictures]]\nname = "front"\nprompt = "the {name}"\n'
            + '[[pictures]]\nname = "back"\nprompt = "its back"\nsize = "1K"\n',
        )
    )
    assert made.missing(()) == ("sku", "name", "shelf")
    front, back = Expander(made)({"sku": "1", "name": "mug", "shelf": "A"}, line=1)
    assert (front.ask.size, back.ask.size) == ("2K", "1K")
    assert front.ask.fields == {"shelf": "A", "picture": "front"}
    assert back.ask.fields == {"shelf": "A", "picture": "back"}


PICTURE = '[[pictures]]\nname = "front"\nprompt = "p"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[row]\n", "pictures"),
        ('[row]\n[[pictures]]\nname = "front"\n', "prompt.*is missing, here and in"),
        ("[row]\n" + PICTURE + 'colour = "red"\n', "colour"),
        ('[row]\nsubject = "{sku"\n' + PICTURE, "expected '}'"),
        ('[row]\ncarry = ["picture"]\n' + PICTURE, "rename the column"),
        ('[row]\nsize = "3K"\n' + PICTURE, "picture front, size: '3K' is not one of"),
        ("[row]\n" + PICTURE + PICTURE, "two have the same name"),
        ("[row]\n" + PICTURE + PICTURE.replace("front", "x") + "reference = true\n", "stands first"),
        ("[row]\n" + PICTURE + 'given = "{photo?}"\n', "`given` is for the reference"),
        (
            "[row]\n" + PICTURE + 'each = "{views}"\n' + PICTURE.replace("front", "front-001"),
            "front-001 may be one of the pictures of front",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse(text)
    assert "mine.toml" in str(caught.value)
