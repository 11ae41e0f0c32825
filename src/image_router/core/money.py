"""Money as whole nano-dollars (1 USD = 1,000,000,000): integers inside, Decimal at the edges.

Every Gemini rate is a whole number of nano-dollars per token ($0.125 per million tokens = 125),
so no sum here is ever rounded. Nothing in this package uses a float for money.
"""

from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from image_router.core.errors import InvalidRequest

Nanos: TypeAlias = int
"""An amount in nano-dollars."""

USD: Nanos = 1_000_000_000
_LARGEST = Decimal(1_000_000_000)


def parse_usd(value: str | int | Decimal, *, name: str = "amount") -> Nanos:
    """Dollars as text, whole number or Decimal → nano-dollars.

    Raises InvalidRequest for a float, NaN, infinity, a negative amount, more than a billion dollars, or
    a fraction finer than one nano-dollar.
    """
    if isinstance(value, (bool, float)):
        raise InvalidRequest(f"{name} must be exact: pass text or Decimal, such as '0.134', not {value!r}")
    if not isinstance(value, (str, int, Decimal)):
        raise InvalidRequest(f"{name} {value!r} is not an amount in dollars; write it like '0.134'")
    try:
        dollars = Decimal(_bare(value) if isinstance(value, str) else value)
    except InvalidOperation:
        raise InvalidRequest(f"{name} {value!r} is not an amount in dollars; write it like 0.134") from None
    if not dollars.is_finite() or dollars < 0 or dollars > _LARGEST:
        raise InvalidRequest(f"{name} {value} must be between $0 and ${_LARGEST:,}")
    # Before any arithmetic: Decimal rounds to 28 digits, which would hide a finer fraction.
    _, digits, exponent = dollars.as_tuple()
    finer = -9 - int(exponent)
    if finer > 0 and any(digits[-finer:]):
        raise InvalidRequest(f"{name} {value} is finer than a nano-dollar (nine decimals)")
    return int(dollars * USD)


def _bare(text: str) -> str:
    """Without its dollar sign. Decimal also reads 1_000, which nobody means as money."""
    return "" if "_" in text else text.strip().removeprefix("$")


def to_usd(nanos: Nanos) -> Decimal:
    """Nano-dollars → exact dollars."""
    return Decimal(nanos).scaleb(-9)


def usd_text(nanos: Nanos) -> str:
    """Exact dollars without trailing zeros, as JSON and files carry them: '0.1344'."""
    sign, (whole, fraction) = "-" if nanos < 0 else "", divmod(abs(nanos), USD)
    return f"{sign}{whole}.{fraction:09d}".rstrip("0") if fraction else f"{sign}{whole}"


def show_usd(nanos: Nanos, *, decimals: int | None = None) -> str:
    """Dollars for people: '$0.1344', '$436.70'. Exact by default, at least two decimals; a stated number
    of decimals rounds half up, here and nowhere else."""
    sign, nanos = ("-", -nanos) if nanos < 0 else ("", nanos)
    if decimals is None:
        whole, _, fraction = usd_text(nanos).partition(".")
        return f"{sign}${int(whole):,}.{fraction:0<2}"
    step = 10 ** (9 - decimals)
    rounded = to_usd((nanos + step // 2) // step * step)
    return f"{sign}${rounded:,.{decimals}f}"
