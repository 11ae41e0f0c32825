"""All pictures of one subject on a page: small copies inside it, each a link to the picture beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePosixPath

from image_router.bulk.manifests import Entry
from image_router.core.money import show_usd
from image_router.core.palette import TITLE
from image_router.core.runs import RowState, Run
from image_router.core.template import PICTURE
from image_router.engine.sheet_page import head_of
from image_router.storage.thumbnails import thumbnail_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a page shows it."""

    entry: Entry
    thumbnail: str
    """As a data: URL."""


def shown(entry: Entry, data: bytes) -> Shown:
    """Blocking: run in a thread. Raises AssetError for a picture that cannot be decoded."""
    small = thumbnail_of(data, entry.row.asset or "")
    return Shown(entry, f"data:image/webp;base64,{b64encode(small).decode()}")


def page(run: Run, entries: Sequence[Entry], *, pictures: Sequence[Shown]) -> str:
    """The page of one subject; rows without a picture are told with their reason."""
    subject = escape(entries[0].row.planned.subject)
    cards = "\n".join(_card(picture) for picture in pictures)
    without = [entry for entry in entries if entry.file is None]
    missing = "\n".join(f'  <p class="lead">{_reason(entry)}</p>' for entry in without)
    return f"""{head_of(entries[0].row.planned.subject)}
<body>
<header>
  <p class="brand">{escape(run.name)}</p>
  <h1>{subject}</h1>
  <dl class="figures">
    <div><dt>Pictures</dt><dd>{len(pictures)} of {len(entries)}</dd></div>
    <div><dt>Charged</dt><dd>{show_usd(sum(entry.row.cost for entry in entries))}</dd></div>
  </dl>
</header>
<main>
<section aria-label="Pictures">
  <div class="grid singles">
{cards}
  </div>
{missing}
</section>
</main>
<footer><p>Run {escape(run.id)}. The pictures beside this page are as their models made them.</p></footer>
</body>
</html>
"""


def _card(picture: Shown) -> str:
    entry = picture.entry
    row, planned = entry.row, entry.row.planned
    href = escape(PurePosixPath(entry.file or "").name)
    tier = planned.tier
    name = escape(TITLE[tier] if tier else row.model or "")
    pixels = entry.picture.pixels if entry.picture else ""
    return f"""    <article style="--tier:var(--{tier})">
      <a href="{href}"><img src="{picture.thumbnail}" alt="{escape(planned.ask.prompt)}" loading="lazy"></a>
      <div class="words">
        <p class="labels"><span class="tier">{name}</span>
          <span class="purpose">{escape(planned.ask.fields.get(PICTURE, href))}</span></p>
        <p class="prompt">{escape(planned.ask.prompt)}</p>
        <p class="model">{escape(row.model or "")} · {pixels}</p>
        <dl class="money"><div><dt>Charged</dt><dd>{show_usd(row.cost)}</dd></div></dl>
      </div>
    </article>"""


def _reason(entry: Entry) -> str:
    row = entry.row
    why = entry.missing or row.message or ("" if row.state is RowState.WAITING else row.cause)
    name = escape(row.planned.ask.fields.get(PICTURE) or row.planned.key)
    return f"{name} is {row.state}" + (f": {escape(why)}" if why else "")
