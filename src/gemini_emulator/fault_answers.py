"""Faults that answer 200 with something other than the picture asked for: drafts turned into worse drafts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import get_args

from gemini_emulator.drafts import Draft, Frame, Shape, Spoil, cut_short, without_picture
from gemini_emulator.usage import Usage, text_tokens

Options = Mapping[str, str]
Twist = Callable[[Draft, Options], Draft]
TWISTS: dict[str, Twist] = {}
DESCRIPTIONS: dict[str, str] = {}
PREDICT_DESCRIPTIONS: Mapping[str, str] = {
    "imagen_all_filtered": "200: every picture filtered, one raiFilteredReason instead; free",
    "imagen_some_filtered": "200: count=1 of the pictures filtered; only the rest is charged",
    "imagen_empty": "200: an empty JSON object; free",
}

_FILTERED = "Unable to show the generated image."
_MESSAGES: Mapping[str, str] = {
    "policy": (
        f"{_FILTERED} The image was filtered out because it violated Google's [Generative AI "
        "Prohibited Use policy](https://policies.google.com/terms/generative-ai/use-policy). You will not be "
        "charged for blocked images. Try rephrasing the prompt. If you think this was an error, [send "
        "feedback](https://ai.google.dev/gemini-api/docs/troubleshooting)."
    ),
    "children": (
        f"{_FILTERED} Your current PersonGeneration setting filtered the image since it appeared to include "
        "children. You will not be charged for blocked images. Try rephrasing the prompt."
    ),
    "other": (
        f"{_FILTERED} The model could not generate the image based on the prompt provided. You will not be "
        "charged for this request. Try rephrasing the prompt."
    ),
    "sensitive": (
        f"{_FILTERED} This output contains sensitive words that violate Google's Generative AI Prohibited "
        "Use policy. Try rephrasing the prompt. Support code: 42876398."
    ),
    "third_party": (
        "Unable to show the generated image due to interests of third-party content providers. Please edit "
        "your prompt and try again. If you think this was an error, send feedback. Support code: 35561574."
    ),
}


_REFUSED_SHAPES: Mapping[str, Shape] = {"none": "bare", "null": "null_parts", "role": "role_only"}


def _fault(twist: Twist) -> Twist:
    TWISTS[twist.__name__] = twist
    DESCRIPTIONS[twist.__name__] = (twist.__doc__ or "").strip()
    return twist


def _refused(draft: Draft, options: Options, finish: str, message: str | None) -> Draft:
    """An output refusal: free, though thinking and zero candidates still stand in its usage."""
    if options.get("message") == "none":
        message = None
    elif "message" in options:
        message = _MESSAGES.get(options["message"], options["message"])
    usage = replace(draft.ask.prompt_usage, candidates=0, thoughts=draft.usage.thoughts)
    # recorded with a bare role for third-party refusals, with an empty content for the others
    default = "role" if options.get("message") == "third_party" else "none"
    shape = _REFUSED_SHAPES.get(options.get("parts", default), "bare")
    return replace(
        without_picture(draft),
        usage=usage,
        finish=finish,
        message=message,
        shape=shape,
        outcome=finish.lower(),
        free=True,
    )


@_fault
def image_safety(draft: Draft, options: Options) -> Draft:
    """IMAGE_SAFETY with its words; message=policy|children|none|<text>, parts=null (as via proxies)|role"""
    return _refused(draft, options, "IMAGE_SAFETY", _MESSAGES["policy"])


@_fault
def image_other(draft: Draft, options: Options) -> Draft:
    """IMAGE_OTHER with a finishMessage; message=none|<text>"""
    return _refused(draft, options, "IMAGE_OTHER", _MESSAGES["other"])


@_fault
def image_prohibited(draft: Draft, options: Options) -> Draft:
    """IMAGE_PROHIBITED_CONTENT; message=sensitive|third_party|none|<text>"""
    return _refused(draft, options, "IMAGE_PROHIBITED_CONTENT", _MESSAGES["sensitive"])


@_fault
def image_recitation(draft: Draft, options: Options) -> Draft:
    """IMAGE_RECITATION without a message; message=<text> for one"""
    return _refused(draft, options, "IMAGE_RECITATION", None)


@_fault
def prompt_blocked(draft: Draft, options: Options) -> Draft:
    """promptFeedback.blockReason and no candidates; reason=PROHIBITED_CONTENT, message=; prompt charged"""
    reason = options.get("reason", "PROHIBITED_CONTENT")
    blocked = replace(without_picture(draft), usage=draft.ask.prompt_usage, finish=None, block=reason)
    return replace(blocked, message=options.get("message"), shape="no_candidates", outcome="prompt_blocked")


@_fault
def unknown_block_reason(draft: Draft, options: Options) -> Draft:
    """A blockReason nobody has seen before"""
    return prompt_blocked(draft, {"reason": "FAKE_NEW_BLOCK_REASON"})


@_fault
def no_image(draft: Draft, options: Options) -> Draft:
    """NO_IMAGE: empty content, no message; only the prompt is counted"""
    usage = draft.ask.prompt_usage
    return replace(without_picture(draft), usage=usage, finish="NO_IMAGE", shape="bare", outcome="no_image")


@_fault
def text_instead(draft: Draft, options: Options) -> Draft:
    """STOP with words and no picture; text=<the words>"""
    return _words_only(draft, options.get("text", "I can't generate images that are sexually explicit."))


def _words_only(draft: Draft, text: str) -> Draft:
    usage = replace(draft.ask.prompt_usage, candidates=text_tokens(text), thoughts=draft.usage.thoughts)
    return replace(without_picture(draft), text=text, usage=usage, outcome="text")


@_fault
def base64_in_text(draft: Draft, options: Options) -> Draft:
    """The picture as a data: URI inside a text part; no IMAGE tokens are counted"""
    usage = replace(draft.ask.prompt_usage, candidates=(draft.usage.candidates or 0) - draft.usage.image_out)
    return replace(draft, spoil="data_uri", usage=usage, text=None, outcome="text")


@_fault
def thought_only(draft: Draft, options: Options) -> Draft:
    """The only picture is flagged thought:true; counted=1 (IMAGE tokens counted) or 0"""
    frames = (Frame(size=draft.ask.frame, thought=True, signed=False),)
    usage = draft.usage
    if options.get("counted", "1") == "0":
        usage = replace(usage, image_out=0, candidates=(usage.candidates or 0) - usage.image_out)
    return replace(draft, frames=frames, text=None, usage=usage, outcome="thought_only")


@_fault
def several_images(draft: Draft, options: Options) -> Draft:
    """count=3 unflagged pictures in one answer, each counted"""
    count = int(options.get("count", "3"))
    more = draft.usage.image_out * (count - 1)
    usage = replace(
        draft.usage, image_out=draft.usage.image_out + more, candidates=(draft.usage.candidates or 0) + more
    )
    return replace(draft, frames=(Frame(size=draft.ask.frame),) * count, usage=usage)


@_fault
def image_tokens_without_image(draft: Draft, options: Options) -> Draft:
    """STOP, IMAGE tokens counted and charged, no parts"""
    return replace(without_picture(draft), shape="role_only", outcome="image_lost")


@_fault
def empty_candidate(draft: Draft, options: Options) -> Draft:
    """An empty candidate without finishReason; form=bare|role_only|null_parts|no_content|empty_candidates"""
    form = options.get("form", "bare")
    shape: Shape = next((known for known in get_args(Shape) if known == form), "bare")
    usage = draft.ask.prompt_usage
    return replace(without_picture(draft), usage=usage, finish=None, shape=shape, outcome="empty")


@_fault
def max_tokens(draft: Draft, options: Options) -> Draft:
    """MAX_TOKENS: thinking ate the room, content is empty; room=5"""
    return cut_short(draft, int(options.get("room", "5")))


@_fault
def unknown_finish_reason(draft: Draft, options: Options) -> Draft:
    """A finishReason nobody has seen before, and no picture; reason=FAKE_NEW_FINISH_REASON"""
    reason = options.get("reason", "FAKE_NEW_FINISH_REASON")
    return replace(no_image(draft, options), finish=reason, outcome=reason.lower())


@_fault
def refused_with_image(draft: Draft, options: Options) -> Draft:
    """A picture beside a finishReason other than STOP; reason=IMAGE_SAFETY; free as a refusal"""
    reason = options.get("reason", "IMAGE_SAFETY")
    return replace(draft, finish=reason, message=_MESSAGES["policy"], outcome=reason.lower(), free=True)


@_fault
def wrong_size(draft: Draft, options: Options) -> Draft:
    """Another size than asked: width=, height=, else the model's default shape at 1K, counted as 1K"""
    model = draft.ask.model
    size = model.frame(None, "1K")
    if "width" in options or "height" in options:
        size = (int(options.get("width", size[0])), int(options.get("height", size[1])))
    usage = _recounted(draft.usage, model.image_tokens["1K"])
    return replace(draft, frames=(Frame(size=size),), usage=usage)


def _recounted(usage: Usage, image_out: int) -> Usage:
    candidates = (usage.candidates or 0) - usage.image_out + image_out
    return replace(usage, image_out=image_out, candidates=candidates)


_SPOILT: Mapping[str, tuple[Spoil, str]] = {
    "wrong_mime": ("wrong_mime", "The declared mimeType contradicts the bytes"),
    "corrupt_base64": ("corrupt_base64", "The data field is not base64"),
    "double_base64": ("double_base64", "The data field is base64 of base64"),
    "corrupt_image": ("corrupt_bytes", "Valid base64 of bytes that are no picture"),
    "cut_image": ("cut_bytes", "Valid base64 of the first half of a picture"),
}


def _spoiling(spoil: Spoil) -> Twist:
    return lambda draft, options: replace(draft, spoil=spoil)


TWISTS.update({name: _spoiling(spoil) for name, (spoil, _) in _SPOILT.items()})
DESCRIPTIONS.update({name: does for name, (_, does) in _SPOILT.items()})
