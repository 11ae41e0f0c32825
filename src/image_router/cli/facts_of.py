"""The facts a reading command needs: catalog, rate card and day, from its settings."""

from __future__ import annotations

from image_router import facts
from image_router.config import Settings
from image_router.core.rates import card_on
from image_router.engine.model_rows import Known
from image_router.wiring import today


def known(settings: Settings) -> Known:
    """Raises ConfigError for broken files, InvalidRequest for a day before the first card."""
    day = settings.as_of or today()
    catalog = facts.load_catalog(settings.home, settings.model_states)
    return Known(catalog=catalog, card=card_on(day, facts.load_cards(settings.home)), day=day)
