"""Settings: what this gateway runs with and where it comes from, its profiles, and a check of a policy file.

Nothing secret is rendered: of a secret setting the page knows only whether it is set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from starlette.responses import Response

from image_router import facts
from image_router.config import VARIABLES, Secret, Settings
from image_router.core.errors import ConfigError
from image_router.core.key_permits import allow_admin
from image_router.core.money import show_usd
from image_router.core.policy import Policy
from image_router.gateway import refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import form, shown
from image_router.gateway.dashboard.rendering import PAGES, page
from image_router.gateway.fields import text
from image_router.wiring import profile_of

PATH: Final = "/dashboard/settings"
_SECRET: Final = frozenset({"api_key", "projects", "database"})
_USER_INFO: Final = re.compile(r"://[^/@\s]+@")
"""What may stand before the host of an address, a password too."""
_LONGEST: Final = 200_000
"""Characters of a policy that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting."""

    name: str
    value: str
    origin: str
    """Empty: the default."""
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the look at a policy file found: the policy, or what is wrong with it."""

    policy: Policy | None = None
    problem: str = ""
    changes: tuple[str, ...] = ()
    """What it decides otherwise than the profile in use."""


async def settings(visit: Visit) -> Response:
    """GET /dashboard/settings, for admins."""
    _admins(visit)
    return _page(visit)


async def check(visit: Visit) -> Response:
    """POST /dashboard/settings: look at a policy file that is pasted; nothing is kept of it."""
    given = (text(await form(visit, harmless=True), "policy") or "").replace("\r\n", "\n")
    _admins(visit)
    if not given.strip() or len(given) > _LONGEST:
        raise refusals.malformed(f"paste the text of a policy file, of at most {_LONGEST:,} characters")
    return _page(visit, given=given, checked=_checked(visit.parts.settings, given))


async def profile(visit: Visit) -> Response:
    """GET /dashboard/settings/profiles/{name}: its rules, fallbacks, guard, and mix."""
    _admins(visit)
    name, known = visit.request.path_params["name"], _profiles(visit.parts.settings)
    if name not in known:
        raise refusals.absent(f"there is no profile {name!r}; there are {', '.join(known)}")
    in_use = profile_of(visit.parts.settings)
    return page(visit, "profile.html", profile=known[name], names=tuple(known), in_use=in_use)


def _page(visit: Visit, *, given: str = "", checked: Checked | None = None) -> Response:
    own = visit.parts.settings
    shown_settings = [_shown(own, field.name) for field in fields(own) if field.name != "origins"]
    return page(
        visit,
        "settings.html",
        chosen=[one for one in shown_settings if one.origin],
        usual=[one for one in shown_settings if not one.origin],
        profiles=_profiles(own),
        in_use=profile_of(own),
        policy_text=given,
        checked=checked,
    )


def _profiles(own: Settings) -> Mapping[str, Policy]:
    return facts.load_policies(own.home, own.policy_file)


def _checked(own: Settings, given: str) -> Checked:
    try:
        policy = facts.read_policy(own.home, given)
    except ConfigError as error:
        return Checked(problem=str(error))
    return Checked(policy=policy, changes=tuple(_changes(_profiles(own)[profile_of(own)], policy)))


def _changes(old: Policy, new: Policy) -> list[str]:
    """The parts of a policy in which two differ."""
    names = (field.name for field in fields(Policy) if field.name not in ("name", "version", "description"))
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _shown(own: Settings, name: str) -> Shown:
    return Shown(
        name=name,
        value=_words(name, getattr(own, name)),
        origin=own.origins.get(name, ""),
        variables=VARIABLES.get(name, ()),
    )


def _words(name: str, value: Any) -> str:
    """A value as it may be seen."""
    if value is None or value in ((), {}):
        return "not set"
    if name in _SECRET or isinstance(value, Secret):
        return f"{len(value)} keys, not shown" if isinstance(value, tuple) else "set, not shown"
    if is_dataclass(value):
        return ", ".join(f"{each.name} {getattr(value, each.name)}" for each in fields(value))
    if name == "confirm_above":
        return show_usd(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    return _USER_INFO.sub("://…@", str(value))


def _admins(visit: Visit) -> None:
    if visit.caller.key is not None:
        allow_admin(visit.caller.key)


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(settings), surface=PAGES, public=True),
    Entry(method="POST", path=PATH, endpoint=shown(check), surface=PAGES, public=True),
    Entry(
        method="GET", path=f"{PATH}/profiles/{{name}}", endpoint=shown(profile), surface=PAGES, public=True
    ),
)
