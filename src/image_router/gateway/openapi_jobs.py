"""What is told of jobs: work that is done later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from image_router.gateway.openapi_fields import MOMENT, PROGRESS, TROUBLE, USD
from image_router.gateway.openapi_openai import OPENAI_FIELDS, PICTURES
from image_router.gateway.openapi_params import (
    A_THING,
    AFTER,
    IDEMPOTENCY,
    IMAGE_HEADERS,
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
    by_name,
    maybe,
    obj,
    ok,
    one_of,
    ref,
    sent,
    text,
    whole,
    yes_no,
)
from image_router.storage.jobs_tables import JobState

_LATER: Final = ("stream", "partial_images", "explain")
_JOB_ID: Final = Param(name="id", where="path", about="Id of the job.", example="job_1c0ffee")
SCHEMAS: Final[Json] = {
    "JobRequest": obj(
        "An images request as OpenAI writes it, done later.",
        need=("prompt",),
        **{name: each for name, each in OPENAI_FIELDS.items() if name not in _LATER},
        **PICTURES,
        webhook=text("An https address that is told when the job is over.", format="uri"),
        metadata=by_name(text(maxLength=512), "Given back."),
    ),
    "Job": obj(
        object=one_of(("job",)),
        id=text(),
        status=one_of(JobState),
        operation=text(),
        scope=text(),
        created_at=MOMENT,
        started_at=maybe(MOMENT),
        finished_at=maybe(MOMENT),
        progress=PROGRESS,
        cost_usd={**USD, "description": "So far."},
        quote_usd=USD,
        highest_usd=USD,
        turns=whole("How often it was taken up."),
        cancelling=yes_no(),
        error=maybe(TROUBLE),
        webhook=maybe(text()),
        metadata=by_name(text()),
        urls=obj(self=text(), result=text(), cancel=text()),
    ),
}
_FOX: Final = {"prompt": "a red fox", "model": "auto:hero", "metadata": {"order": "4711"}}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/router/v1/jobs"): Operation(
        id="makeJob",
        group=Group.WORK,
        summary="Make pictures later",
        about="The body of POST /v1/images/generations, or of /v1/images/edits. `Prefer: respond-async` "
        "makes a job of those too.",
        params=(IDEMPOTENCY,),
        body=sent(ref("JobRequest"), fox=_FOX),
        answers=taken_up("The job.", "Job", address="The job's address."),
        risks=SPENDING,
    ),
    ("GET", "/router/v1/jobs"): Operation(
        id="listJobs",
        group=Group.WORK,
        summary="List jobs",
        about="Newest first.",
        params=(
            Param(name="status", about="In this state.", schema=one_of(JobState)),
            OF_SCOPE,
            how_many(50, most=200),
            AFTER,
        ),
        answers=page_of("jobs", "Job"),
        risks=A_THING,
    ),
    ("GET", "/router/v1/jobs/{id}"): Operation(
        id="showJob",
        group=Group.WORK,
        summary="How a job is doing",
        about="With `Prefer: wait=N` the answer waits up to N seconds (60 at most) for its end.",
        params=(_JOB_ID, PREFER),
        answers=ok("The job.", ref("Job")),
        risks=A_THING,
    ),
    ("GET", "/router/v1/jobs/{id}/result"): Operation(
        id="jobResult",
        group=Group.WORK,
        summary="What a job came to",
        about="The answer that the request would have had, also where that was an error.",
        params=(_JOB_ID, PREFER),
        answers={
            200: Answer(about="The pictures.", content={JSON: ref("OpenAIImages")}, headers=IMAGE_HEADERS)
        },
        risks=SPENDING - {Risk.BODY},
    ),
    ("POST", "/router/v1/jobs/{id}/cancel"): Operation(
        id="cancelJob",
        group=Group.WORK,
        summary="Cancel a job",
        about="One that waits is over at once, one that runs soon; a call under way may be billed.",
        params=(_JOB_ID,),
        answers=ok("The job.", ref("Job")),
        risks=A_THING,
    ),
}
