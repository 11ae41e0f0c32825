"""What is told of webhooks: who is told, with which secret, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from image_router.gateway.openapi_fields import MOMENT, SCOPE
from image_router.gateway.openapi_params import A_CHANGE, A_THING, OF_SCOPE, how_many
from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Group,
    Json,
    Operation,
    Param,
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
from image_router.storage.webhooks_tables import DeliveryState, HookEvent

_ROOT: Final = "/router/v1/webhooks"
_EVENTS: Final = many(one_of(HookEvent), minItems=1)
_URL: Final = text("An https address.", format="uri", maxLength=2048)
_ENDPOINT_ID: Final = Param(name="id", where="path", about="Id of the endpoint.", example="hook_1c0ffee")
_DELIVERY_ID: Final = Param(name="id", where="path", about="Id of the delivery.", example="msg_1c0ffee")
SCHEMAS: Final[Json] = {
    "WebhookEndpoint": obj(
        id=text(),
        scope=text(),
        url=text(),
        events=many(one_of(HookEvent)),
        created_at=MOMENT,
        created_by=text(),
        off_at=maybe(MOMENT),
        off_why=maybe(text()),
    ),
    "WebhookDelivery": obj(
        id=text("Also its webhook-id."),
        status=one_of(DeliveryState),
        event=one_of(HookEvent),
        subject=maybe(text()),
        scope=text(),
        url=text(),
        endpoint=maybe(text()),
        created_at=MOMENT,
        finished_at=maybe(MOMENT),
        tries=whole(),
        next_try_at=maybe(MOMENT),
        http_status=maybe(whole()),
        trouble=maybe(text()),
    ),
}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", f"{_ROOT}/secrets"): Operation(
        id="rotateWebhookSecret",
        group=Group.WORK,
        summary="Make a secret that webhooks are signed with",
        about="For a scope and all below it; the one before it signs too for `grace_seconds`. Signatures are "
        "those of Standard Webhooks. Admin keys only.",
        body=sent(
            obj(need=(), scope=SCOPE, grace_seconds=whole(minimum=0, maximum=30 * 86_400)),
            acme={"scope": "acme", "grace_seconds": 86_400},
        ),
        answers={
            201: Answer(
                about="The secret, shown this once.",
                content={JSON: obj(scope=text(), secret=text(), old_until=maybe(MOMENT))},
            )
        },
        risks=A_CHANGE,
    ),
    ("GET", f"{_ROOT}/endpoints"): Operation(
        id="listWebhooks",
        group=Group.WORK,
        summary="List who is told",
        about="Admin keys only.",
        params=(OF_SCOPE,),
        answers=ok("The endpoints.", obj(endpoints=many(ref("WebhookEndpoint")))),
    ),
    ("POST", f"{_ROOT}/endpoints"): Operation(
        id="addWebhook",
        group=Group.WORK,
        summary="Tell an address of a scope",
        about="Its scope must have a secret. Admin keys only.",
        body=sent(
            obj(need=("url",), url=_URL, scope=SCOPE, events=_EVENTS),
            jobs={"url": "https://example.org/hook", "scope": "acme", "events": ["job.succeeded"]},
        ),
        answers={201: Answer(about="The endpoint.", content={JSON: ref("WebhookEndpoint")})},
        risks=A_CHANGE,
    ),
    ("DELETE", f"{_ROOT}/endpoints/{{id}}"): Operation(
        id="removeWebhook",
        group=Group.WORK,
        summary="Tell it no more",
        about="What is on its way to it is given up. Admin keys only.",
        params=(_ENDPOINT_ID,),
        answers={204: Answer(about="It is gone.")},
        risks=A_THING,
    ),
    ("GET", f"{_ROOT}/deliveries"): Operation(
        id="listDeliveries",
        group=Group.WORK,
        summary="List what was told",
        about="Newest first, each with its last try.",
        params=(
            Param(name="status", about="In this state.", schema=one_of(DeliveryState)),
            OF_SCOPE,
            Param(name="subject", about="Id of a job."),
            how_many(50, most=200),
        ),
        answers=ok("The deliveries.", obj(deliveries=many(ref("WebhookDelivery")))),
    ),
    ("POST", f"{_ROOT}/deliveries/{{id}}/resend"): Operation(
        id="resendDelivery",
        group=Group.WORK,
        summary="Tell it again",
        about="From the beginning, under the same id.",
        params=(_DELIVERY_ID,),
        answers={202: Answer(about="The delivery.", content={JSON: ref("WebhookDelivery")})},
        risks=A_THING,
    ),
}
