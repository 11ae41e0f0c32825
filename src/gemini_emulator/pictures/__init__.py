"""Pictures for the emulator: painted by rule, plainly marked, the same for the same brief."""

from gemini_emulator.pictures.brief import Brief
from gemini_emulator.pictures.painter import is_emulated, paint

__all__ = ["Brief", "is_emulated", "paint"]
