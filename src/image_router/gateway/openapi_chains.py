"""What is told of chains: one character, many pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from image_router.gateway.openapi_fields import FIELDS, MOMENT, PROGRESS, TROUBLE, USD
from image_router.gateway.openapi_params import (
    A_THING,
    AFTER,
    IDEMPOTENCY,
    OF_SCOPE,
    PREFER,
    SPENDING,
    how_many,
    page_of,
    taken_up,
)
from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Group,
    Json,
    Operation,
    Param,
    Risk,
    many,
    maybe,
    obj,
    ok,
    one_of,
    ref,
    sent,
    text,
    whole,
)
from image_router.storage.chains_tables import ChainState
from image_router.storage.jobs_tables import JobState

_ID: Final = Param(name="id", where="path", about="Id of the chain.", example="chain_1c0ffee")
_NOT_OF_CHAINS: Final = ("previous", "purpose", "n")
_ITEM: Final = obj(
    key=text("reference, variant-001, …"),
    prompt=text(),
    status=one_of(("waiting", *JobState)),
    job=maybe(text("Id of its job.")),
    asset_id=maybe(text("Once it is kept.")),
    cost_usd=USD,
    error=maybe(TROUBLE),
)
SCHEMAS: Final[Json] = {
    "ChainRequest": obj(
        "The character, in the library's own words, and what it does in each variant.",
        need=("prompt", "variants"),
        **{name: each for name, each in FIELDS.items() if name not in _NOT_OF_CHAINS},
        purpose=one_of(("economy", "character_lock"), "The chain's own; leave it out."),
        n=whole("One picture of each variant.", minimum=1, maximum=1),
        variants=many(text(minLength=1), "Prompts.", minItems=1, maxItems=100),
    ),
    "Chain": obj(
        object=one_of(("chain",)),
        id=text(),
        status=one_of(ChainState, "partial: over, and some variants did not come."),
        scope=text(),
        created_at=MOMENT,
        finished_at=maybe(MOMENT),
        progress=PROGRESS,
        quote_usd=USD,
        highest_usd=USD,
        cost_usd={**USD, "description": "So far."},
        reference=_ITEM,
        variants=many(_ITEM),
        urls=obj(self=text(), cancel=text(), resume=text()),
    ),
}
_MIRA: Final = {"prompt": "Mira, a courier with green hair", "variants": ["on a bike", "at the sea"]}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/router/v1/chains"): Operation(
        id="makeChain",
        group=Group.WORK,
        summary="Make a character chain",
        about="An economical reference first, then every variant conditioned on it. Each picture is a job "
        "and is kept; what breaks off with a process is taken up by another.",
        params=(IDEMPOTENCY,),
        body=sent(ref("ChainRequest"), mira=_MIRA),
        answers=taken_up("The chain.", "Chain", address="The chain's address."),
        risks=SPENDING,
    ),
    ("GET", "/router/v1/chains"): Operation(
        id="listChains",
        group=Group.WORK,
        summary="List chains",
        about="Newest first.",
        params=(OF_SCOPE, how_many(20, most=100), AFTER),
        answers=page_of("chains", "Chain"),
        risks=A_THING,
    ),
    ("GET", "/router/v1/chains/{id}"): Operation(
        id="showChain",
        group=Group.WORK,
        summary="How a chain is doing",
        about="With `Prefer: wait=N` the answer waits up to N seconds (60 at most) for its end.",
        params=(_ID, PREFER),
        answers=ok("Each picture, with its job.", ref("Chain")),
        risks=A_THING,
    ),
    ("POST", "/router/v1/chains/{id}/cancel"): Operation(
        id="cancelChain",
        group=Group.WORK,
        summary="Cancel a chain",
        about="What waits is not made; a call under way may be billed.",
        params=(_ID,),
        answers=ok("The chain.", ref("Chain")),
        risks=A_THING,
    ),
    ("POST", "/router/v1/chains/{id}/resume"): Operation(
        id="resumeChain",
        group=Group.WORK,
        summary="Make what is missing of a chain",
        about="Only that is paid. 409 where nothing is missing.",
        params=(_ID,),
        answers={202: Answer(about="The chain.", content={JSON: ref("Chain")})},
        risks=A_THING | {Risk.CHANGING},
    ),
}
