"""Where finished pictures go: names that never overwrite, checked before anything is spent."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from image_router.core.errors import AssetError
from image_router.core.results import GeneratedImage
from image_router.engine.media import save

PIPE: Final = "-"
"""The output that stands for stdout."""
EXTENSIONS: Final = (".jpg", ".png", ".webp")
_SPELLINGS: Final = frozenset((*EXTENSIONS, ".jpeg"))


class Shelf:
    """The files of one command. `output` is a file, a folder (existing, or ending in /), or None.

    A picture's extension is that of its real format, whatever the name asked for.
    """

    def __init__(self, output: str | None, *, overwrite: bool = False, stem: str = "image") -> None:
        is_folder = output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())
        path = Path(output) if output else None
        self.folder = path if path and is_folder else (path.parent if path else Path())
        self._named = path if path and not is_folder else None
        self._stem = _stem(self._named) if self._named else stem
        self._overwrite = overwrite
        self._free = self._free_stems()
        self._stems: list[str] = []
        """By the image's index: names follow the order asked for, not the order of arrival."""
        self.notes: list[str] = []
        """What was done that nobody named: folders made, extensions corrected."""
        self.trouble: AssetError | None = None
        """Set when a picture had to be kept elsewhere."""

    def look(self) -> None:
        """Raise AssetError where the named file cannot be written; nothing is touched."""
        if self._named and self._named.exists() and not self._named.is_file():
            raise AssetError(f"{self._named} is a device or pipe, not a file; use -o - for stdout")
        if self._named and self._named.exists() and not self._overwrite:
            raise AssetError(f"{self._named} exists; use --overwrite to replace it, or another name")

    def open(self) -> None:
        """Make the folder while nothing is spent. Raises AssetError where it cannot be made or written."""
        new = not self.folder.exists()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AssetError(f"folder {self.folder} cannot be made: {error.strerror}") from error
        try:
            # Permissions alone say too much: of root, and of file systems that take no files.
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise AssetError(
                f"folder {self.folder} cannot be written ({error.strerror}); choose another with -o"
            ) from error
        if new:
            self.notes.append(f"made folder {self.folder}/")

    def put(self, image: GeneratedImage) -> Path:
        """Write the bytes as they are under the free name of the image's place.

        A paid picture that its folder does not take is kept in a temporary one, and `trouble` says so.
        Raises AssetError when that fails too.
        """
        name = self._name(image)
        try:
            self.open()
            path = save(image.data, self.folder / name, overwrite=self._overwrite)
        except AssetError as error:
            kept, self.trouble = _elsewhere(image, name, error)
            return kept
        self._note_extension(path, image)
        return path

    def _name(self, image: GeneratedImage) -> str:
        while len(self._stems) <= image.index:
            self._stems.append(next(self._free))
        stem = self._stems[image.index]
        if self._is_taken(stem):  # by somebody else since it was chosen
            stem = next(self._free)
        spelled = self._named.suffix if self._named and self._named.suffix.lower() == ".jpeg" else ""
        return f"{stem}{spelled if spelled and image.extension == '.jpg' else image.extension}"

    def _free_stems(self) -> Iterator[str]:
        numbered = (f"{self._stem}-{number}" for number in itertools.count(2))
        return (stem for stem in itertools.chain((self._stem,), numbered) if not self._is_taken(stem))

    def _is_taken(self, stem: str) -> bool:
        """By a picture of any format: which one will come is not known yet."""
        if self._overwrite:
            return False
        return any((self.folder / f"{stem}{ending}").exists() for ending in _SPELLINGS)

    def _note_extension(self, path: Path, image: GeneratedImage) -> None:
        named = self._named
        asked = named.suffix.lower().replace(".jpeg", ".jpg") if named else ""
        if image.index == 0 and asked in EXTENSIONS and asked != image.extension:
            kind = image.media_type.removeprefix("image/").upper()
            self.notes.append(
                f"the picture is {kind}, so it is {path} and not {named}; its bytes are unchanged"
            )


class Pipe:
    """stdout in place of a file: one picture, byte for byte."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.trouble: AssetError | None = None
        """Set when the picture had to be kept elsewhere."""

    def look(self) -> None:
        """Raise AssetError where stdout is a terminal."""
        if sys.stdout.isatty():
            raise AssetError("-o - writes the picture's bytes to stdout, a terminal here; pipe it on")

    def open(self) -> None:
        """It is open."""

    def put(self, image: GeneratedImage) -> Path:
        """Write the bytes; where nobody takes them, keep the paid picture in a temporary folder."""
        try:
            sys.stdout.buffer.write(image.data)
            sys.stdout.buffer.flush()
        except OSError as error:
            problem = AssetError(f"stdout does not take the picture: {error.strerror}")
            kept, self.trouble = _elsewhere(image, f"image{image.extension}", problem)
            return kept
        return Path(PIPE)


def _elsewhere(image: GeneratedImage, name: str, problem: AssetError) -> tuple[Path, AssetError]:
    """The file in a temporary folder that a paid picture is kept as, and the problem with that told."""
    kept = save(image.data, Path(tempfile.mkdtemp(prefix="image-router-")) / name)
    return kept, AssetError(f"{problem}; the picture is paid and kept as {kept}")


def _stem(path: Path) -> str:
    """The name without an image extension; other dots belong to the name."""
    return path.stem if path.suffix.lower() in _SPELLINGS else path.name
