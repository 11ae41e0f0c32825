"""What is told of statements, budgets and keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from image_router.core.statement import By
from image_router.gateway.openapi_fields import DOLLARS, SCOPE
from image_router.gateway.openapi_params import (
    A_CHANGE,
    A_THING,
    BUDGET_SCOPE,
    DAYS,
    FORMAT,
    KEY_ID,
    OF_SCOPE,
)
from image_router.gateway.openapi_words import (
    JSON,
    Answer,
    Group,
    Operation,
    Param,
    Risk,
    many,
    obj,
    ok,
    one_of,
    ref,
    sent,
    text,
    whole,
    yes_no,
)

_BY: Final = Param(
    name="by", about="One line for each; repeatable.", schema=many(one_of(By), uniqueItems=True)
)

_MONEY: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/router/v1/statement"): Operation(
        id="statement",
        group=Group.MONEY,
        summary="What was spent, in lines that add up",
        params=(OF_SCOPE, _BY, *DAYS, FORMAT),
        answers={200: Answer(about="The lines.", content={JSON: ref("Statement"), "text/csv": text()})},
    ),
    ("GET", "/router/v1/usage"): Operation(
        id="usage",
        group=Group.MONEY,
        summary="Whether it was well spent",
        about="The traffic's mix beside the target blend, days, savings against all-Pro, cost of failures.",
        params=(OF_SCOPE, *DAYS, FORMAT),
        answers={200: Answer(about="The report.", content={JSON: ref("Usage"), "text/csv": text()})},
    ),
    ("GET", "/router/v1/budgets"): Operation(
        id="listBudgets",
        group=Group.MONEY,
        summary="List budgets",
        about="Those that bind the key's scope, and those below it; an admin sees all.",
        params=(OF_SCOPE,),
        answers=ok("The budgets.", obj(budgets=many(ref("Budget")))),
    ),
    ("GET", "/router/v1/budgets/{scope:path}"): Operation(
        id="showBudget",
        group=Group.MONEY,
        summary="How every cap stands that binds a scope",
        params=(BUDGET_SCOPE,),
        answers=ok("From the outermost scope inwards.", obj(scope=text(), budgets=many(ref("Budget")))),
        risks=A_THING,
    ),
    ("PUT", "/router/v1/budgets/{scope:path}"): Operation(
        id="setBudget",
        group=Group.MONEY,
        summary="Set a budget",
        about="These caps and no others. Admin keys only.",
        params=(BUDGET_SCOPE,),
        body=sent(ref("BudgetFields"), resetting={"day_usd": "5", "alerts": [50, 80]}),
        answers=ok("The budget.", ref("Budget")),
        risks=A_CHANGE,
    ),
    ("PATCH", "/router/v1/budgets/{scope:path}"): Operation(
        id="changeBudget",
        group=Group.MONEY,
        summary="Change some caps",
        about="What is not named stays; null takes a cap away. Admin keys only.",
        params=(BUDGET_SCOPE,),
        body=sent({**ref("BudgetFields"), "minProperties": 1}, more={"month_usd": "100"}),
        answers=ok("The budget.", ref("Budget")),
        risks=A_CHANGE,
    ),
    ("DELETE", "/router/v1/budgets/{scope:path}"): Operation(
        id="removeBudget",
        group=Group.MONEY,
        summary="Take all caps of a scope away",
        about="Its history stays. Admin keys only.",
        params=(BUDGET_SCOPE,),
        answers=ok("Which.", obj(removed=text())),
        risks=A_THING,
    ),
    ("POST", "/router/v1/budget-top-ups"): Operation(
        id="topUp",
        group=Group.MONEY,
        summary="Add to a prepaid budget",
        about="Admin keys only.",
        body=sent(obj(scope=SCOPE, amount_usd=DOLLARS), more={"scope": "acme/events", "amount_usd": "100"}),
        answers=ok("The budget.", ref("Budget")),
        risks=A_CHANGE,
    ),
    ("GET", "/router/v1/budget-changes"): Operation(
        id="budgetChanges",
        group=Group.MONEY,
        summary="Every change of caps",
        about="When, by whom, from what to what.",
        params=(OF_SCOPE,),
        answers=ok("Oldest first.", obj(changes=many(ref("BudgetChange")))),
    ),
}

_KEYS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/router/v1/key"): Operation(
        id="ownKey",
        group=Group.KEYS,
        summary="What the key in use may do",
        answers=ok("Its rules, and what counts against its limits now.", ref("KeyWithUse")),
        risks=A_THING,
    ),
    ("GET", "/router/v1/keys"): Operation(
        id="listKeys",
        group=Group.KEYS,
        summary="List keys",
        about="Admin keys only.",
        params=(OF_SCOPE, Param(name="revoked", about="Revoked ones too.", schema=yes_no())),
        answers=ok("Oldest first; never their secrets.", obj(keys=many(ref("Key")))),
    ),
    ("POST", "/router/v1/keys"): Operation(
        id="createKey",
        group=Group.KEYS,
        summary="Make a key",
        about="The secret is in this answer alone. Admin keys only.",
        body=sent(
            {**ref("KeyRules"), "required": ["name", "scope"]},
            shop={
                "name": "shop",
                "scope": "acme/shop",
                "max_size": "2K",
                "dollars": {"amount_usd": "20", "seconds": 86_400},
            },
        ),
        answers={201: Answer(about="The key and its secret.", content={JSON: ref("NewKey")})},
        risks=frozenset({Risk.BODY}),
    ),
    ("GET", "/router/v1/keys/{id}"): Operation(
        id="showKey",
        group=Group.KEYS,
        summary="One key",
        about="Admin keys only.",
        params=(KEY_ID,),
        answers=ok("Its rules, and what counts against its limits now.", ref("KeyWithUse")),
        risks=A_THING,
    ),
    ("PATCH", "/router/v1/keys/{id}"): Operation(
        id="changeKey",
        group=Group.KEYS,
        summary="Change some rules",
        about="What is not named stays; null takes a rule away. Counts within a second. Admin keys only.",
        params=(KEY_ID,),
        body=sent({**ref("KeyRules"), "minProperties": 1}, more={"max_size": "4K", "in_flight": None}),
        answers=ok("The key.", ref("Key")),
        risks=A_CHANGE,
    ),
    ("POST", "/router/v1/keys/{id}/rotate"): Operation(
        id="rotateKey",
        group=Group.KEYS,
        summary="Give a key a new secret",
        about="The old one works for `grace_seconds` more. Admin keys only.",
        params=(KEY_ID,),
        body=sent(
            obj(need=(), grace_seconds=whole(minimum=0, maximum=90 * 86_400, default=0)),
            day={"grace_seconds": 86_400},
        ),
        answers=ok("The key and its new secret.", ref("NewKey")),
        risks=A_CHANGE,
    ),
    ("POST", "/router/v1/keys/{id}/revoke"): Operation(
        id="revokeKey",
        group=Group.KEYS,
        summary="End a key for ever",
        about="Refused everywhere within a second. Admin keys only.",
        params=(KEY_ID,),
        answers=ok("The key.", ref("Key")),
        risks=A_THING,
    ),
    ("GET", "/router/v1/keys/{id}/history"): Operation(
        id="keyHistory",
        group=Group.KEYS,
        summary="Every change of a key",
        about="Admin keys only.",
        params=(KEY_ID,),
        answers=ok("Oldest first.", obj(changes=many(ref("KeyChange")))),
        risks=A_THING,
    ),
}

OPERATIONS: Final = {**_MONEY, **_KEYS}
