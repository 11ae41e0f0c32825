"""Where finished pictures go: names that never overwrite, checked before anything is spent."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from image_router.core.errors import AssetError
from image_router.core.results import GeneratedImage
from image_router.engine.media import save

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
        self._used: set[Path] = set()
        self.trouble: AssetError | None = None
        """Set when a picture had to be kept elsewhere."""

    def check(self) -> None:
        """Raise AssetError while nothing is spent: the folder cannot be written, or the named file exists."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AssetError(f"folder {self.folder} cannot be made: {error.strerror}") from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise AssetError(f"folder {self.folder} cannot be written; choose another with -o")
        if self._named and self._named.exists() and not self._overwrite:
            raise AssetError(f"{self._named} exists; use --overwrite to replace it, or another name")

    def put(self, image: GeneratedImage) -> Path:
        """Write the bytes as they are under the next free name.

        A paid picture that its folder does not take is kept in a temporary one, and `trouble` says so.
        Raises AssetError when that fails too.
        """
        path = next(name for name in self._names(image.extension) if self._is_free(name))
        self._used.add(path)
        try:
            return save(image.data, path, overwrite=self._overwrite)
        except AssetError as error:
            kept = save(image.data, Path(tempfile.mkdtemp(prefix="image-router-")) / path.name)
            self.trouble = AssetError(f"{error}; the picture is paid and kept as {kept}")
            return kept

    def _is_free(self, path: Path) -> bool:
        return path not in self._used and (self._overwrite or not path.exists())

    def _names(self, extension: str) -> Iterator[Path]:
        spelled = self._named.suffix if self._named and self._named.suffix.lower() == ".jpeg" else ""
        ending = spelled if spelled and extension == ".jpg" else extension
        yield self.folder / f"{self._stem}{ending}"
        for number in itertools.count(2):
            yield self.folder / f"{self._stem}-{number}{ending}"


def _stem(path: Path) -> str:
    """The name without an image extension; other dots belong to the name."""
    return path.stem if path.suffix.lower() in _SPELLINGS else path.name
