"""A contact sheet as one self-contained page: pictures inside, light and dark, complete without them."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator
from html import escape

from PIL import Image

from image_router.cli.sheet import BILL_COLUMNS, Card, Sheet, amount_of
from image_router.core.money import show_usd
from image_router.core.palette import TITLE
from image_router.engine.sheet_page import head_of

_THUMBNAIL = (640, 640)


def page(sheet: Sheet) -> str:
    """The whole page."""
    return f"""{head_of(sheet.title)}
<body>
<header>
  <p class="brand">image-router</p>
  <h1>{escape(sheet.title)}</h1>
  <dl class="figures">
{_figures(sheet)}
  </dl>
</header>
<main>
<section aria-labelledby="tiers">
  <h2 id="tiers">Six tiers, each chosen by purpose</h2>
  <div class="grid singles">
{_joined(_card(card) for card in sheet.singles)}
  </div>
</section>
<section aria-labelledby="chain">
  <h2 id="chain">One character, kept</h2>
  <p class="lead">The reference is drawn once on the economy tier; every variant on
    {escape(TITLE[sheet.chain[-1].tier])} is given that picture.</p>
  <div class="grid chain">
{_joined(_card(card) for card in sheet.chain)}
  </div>
</section>
<section aria-labelledby="bill">
  <h2 id="bill">The bill</h2>
{_bill(sheet)}
</section>
</main>
<footer>
  <p>Models and prices of {sheet.day}, rate card {sheet.rate_card}. Pictures by the emulator: real requests
    over HTTP, charged as the provider would charge them, drawn on this machine.</p>
</footer>
</body>
</html>
"""


def _figures(sheet: Sheet) -> str:
    return "\n".join(f"    <div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in sheet.figures)


def _card(card: Card) -> str:
    drawn = f' <q class="drawn">{escape(card.text)}</q>' if card.text else ""
    tier = TITLE[card.tier]
    return f"""    <article style="--tier:var(--{card.tier})">
      <a href="{escape(card.file)}"><img src="{_thumbnail(card)}" alt="{escape(card.prompt)}" loading="lazy"
        width="{card.image.pixels.width}" height="{card.image.pixels.height}"></a>
      <div class="words">
        <p class="labels"><span class="tier">{escape(tier)}</span>
          <span class="purpose">{escape(card.label)}</span></p>
        <p class="prompt">{escape(card.prompt)}{drawn}</p>
        <p class="reason">{escape(card.reason)}</p>
        <p class="model">{escape(card.image.model)} · {card.image.pixels}</p>
        <dl class="money">
          <div><dt>Quoted</dt><dd>{show_usd(card.quote.total)}</dd></div>
          <div><dt>At most</dt><dd>{show_usd(card.ceiling)}</dd></div>
          <div><dt>Charged</dt><dd>{show_usd(card.cost.total)}</dd></div>
        </dl>
      </div>
    </article>"""


def _thumbnail(card: Card) -> str:
    """A smaller copy inside the page; the picture itself, with its provenance, is the file it links to."""
    with Image.open(io.BytesIO(card.image.data)) as picture:
        picture.thumbnail(_THUMBNAIL)
        out = io.BytesIO()
        picture.convert("RGB").save(out, "JPEG", quality=86, optimize=True)
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"


def _bill(sheet: Sheet) -> str:
    kinds = sheet.columns
    heads = "".join(f'<th scope="col" class="sum">{BILL_COLUMNS[kind]}</th>' for kind in kinds)
    sums = "".join(f'<td class="sum">{show_usd(amount_of(kind, sheet.cards))}</td>' for kind in kinds)
    return f"""  <div class="scroll" tabindex="0" role="region" aria-label="Bill, line by line">
  <table>
    <thead><tr><th scope="col">Picture</th><th scope="col">Tier</th><th scope="col">Model</th>
      {heads}<th scope="col" class="sum">Charged</th></tr></thead>
    <tbody>
{_joined(_bill_row(card, sheet) for card in sheet.cards)}
    </tbody>
    <tfoot><tr><th scope="row" colspan="3">{len(sheet.cards)} pictures</th>{sums}
      <td class="sum">{show_usd(sheet.total)}</td></tr></tfoot>
  </table>
  </div>
  <p class="verdict">{sheet.verdict}</p>"""


def _bill_row(card: Card, sheet: Sheet) -> str:
    amounts = "".join(
        f'<td class="sum">{show_usd(amount) if (amount := amount_of(kind, [card])) else "–"}</td>'
        for kind in sheet.columns
    )
    tier, model = escape(TITLE[card.tier]), escape(card.image.model)
    return (
        f'      <tr style="--tier:var(--{card.tier})"><th scope="row">{escape(card.file)}</th>'
        f'<td><span class="dot"></span>{tier}</td><td class="id">{model}</td>'
        f'{amounts}<td class="sum">{show_usd(card.cost.total)}</td></tr>'
    )


def _joined(parts: Iterator[str]) -> str:
    return "\n".join(parts)
