"""The nouns of a request: what is asked for, by whom it is paid, how big it shall be.

Nothing here reads a file, the network or a clock; references arrive as bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from image_router.core.brevity import Compress
from image_router.core.errors import InvalidRequest
from image_router.core.money import Nanos
from image_router.core.scopes import scope_path


class Tier(StrEnum):
    """The six roles. A tier is served by different models over time; its name never changes."""

    NANO_BANANA_PRO = "nano_banana_pro"
    GEMINI_31_FLASH_IMAGE = "gemini_31_flash_image"
    NANO_BANANA = "nano_banana"
    IMAGEN_4_ULTRA = "imagen_4_ultra"
    IMAGEN_4_STANDARD = "imagen_4_standard"
    IMAGEN_4_FAST = "imagen_4_fast"


class Purpose(StrEnum):
    """What the image is for."""

    ECONOMY = "economy"
    DRAFT = "draft"
    PREVIEW = "preview"
    HERO = "hero"
    FINAL_HERO = "final_hero"
    CONTEXTUAL_EDIT = "contextual_edit"
    CHARACTER_LOCK = "character_lock"


class Size(StrEnum):
    """Image size as the API spells it: the K is uppercase, 512 has none.

    Source: https://ai.google.dev/gemini-api/docs/image-generation, read 2026-10-08.
    """

    S512 = "512"
    K1 = "1K"
    K2 = "2K"
    K4 = "4K"


class AspectRatio(StrEnum):
    """Width to height. Ten core ratios and four extreme ones.

    Source: https://ai.google.dev/gemini-api/docs/image-generation, read 2026-10-08.
    """

    R1_1 = "1:1"
    R1_4 = "1:4"
    R1_8 = "1:8"
    R2_3 = "2:3"
    R3_2 = "3:2"
    R3_4 = "3:4"
    R4_1 = "4:1"
    R4_3 = "4:3"
    R4_5 = "4:5"
    R5_4 = "5:4"
    R8_1 = "8:1"
    R9_16 = "9:16"
    R16_9 = "16:9"
    R21_9 = "21:9"

    @property
    def value_as_fraction(self) -> tuple[int, int]:
        """(width, height)."""
        width, _, height = self.value.partition(":")
        return int(width), int(height)


class Lane(StrEnum):
    """Interactive answers in seconds; batch costs half and answers within a day."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Dialect(StrEnum):
    """The method a model answers to; the other one is a 404."""

    GENERATE_CONTENT = "generate_content"
    PREDICT = "predict"


class ThinkingLevel(StrEnum):
    """How long a Gemini 3 image model thinks; thinking is billed at the text rate."""

    MINIMAL = "minimal"
    MEDIUM = "medium"
    HIGH = "high"


class ReferenceRole(StrEnum):
    """What a reference image stands for; models limit each kind."""

    OBJECT = "object"
    CHARACTER = "character"
    STYLE = "style"


class Grounding(StrEnum):
    """Search tools the model may use; each search is billed."""

    WEB = "web"
    IMAGE = "image"


class PersonGeneration(StrEnum):
    """Imagen's control over people in pictures."""

    DONT_ALLOW = "dont_allow"
    ALLOW_ADULT = "allow_adult"
    ALLOW_ALL = "allow_all"


class Quality(StrEnum):
    """How good a tier's pictures are meant to be, lowest first."""

    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"
    PRINT = "print"

    @property
    def rank(self) -> int:
        return list(Quality).index(self)


class Adaptation(StrEnum):
    """Deliberate changes a request may allow; every one made is reported."""

    NEAREST_RATIO = "nearest_ratio"
    SMALLER_SIZE = "smaller_size"
    REENCODE_REFERENCE = "reencode_reference"
    FOLD_SYSTEM_INSTRUCTION = "fold_system_instruction"
    FLATTEN_HISTORY = "flatten_history"
    IMAGE_PREFIX = "image_prefix"
    COMPRESS_PROMPT = "compress_prompt"


class RetiredPolicy(StrEnum):
    """What to do when a pinned model id is retired."""

    REFUSE = "refuse"
    SUBSTITUTE = "substitute"


class OnAmbiguous(StrEnum):
    """Whether to send again when a sent request's outcome is unknown (it may have been billed)."""

    NEVER = "never"
    ONCE = "once"
    ASK = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input image, already read and recognised. `media_type` comes from the bytes."""

    data: bytes = field(repr=False)
    media_type: str
    digest: str
    """sha256 of the bytes, hexadecimal."""
    width: int
    height: int
    role: ReferenceRole = ReferenceRole.OBJECT
    name: str | None = None
    """Where it came from, for messages: a file name or URL."""


THRESHOLDS = (
    "BLOCK_NONE",
    "OFF",
    "BLOCK_ONLY_HIGH",
    "BLOCK_MEDIUM_AND_ABOVE",
    "BLOCK_LOW_AND_ABOVE",
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
)
"""HarmBlockThreshold of https://ai.google.dev/api/generate-content, read 2026-10-08."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySetting:
    """One category and threshold, in the API's own spelling. Raises InvalidRequest for another."""

    category: str
    threshold: str

    def __post_init__(self) -> None:
        if not self.category.startswith("HARM_CATEGORY_"):
            raise InvalidRequest(
                f"safety category {self.category!r} is none of the API's; write it like "
                f"HARM_CATEGORY_HARASSMENT"
            )
        if self.threshold not in THRESHOLDS:
            raise InvalidRequest(
                f"safety threshold {self.threshold!r} of {self.category} is not one of "
                f"{', '.join(THRESHOLDS)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPart:
    """One part of an earlier turn: text, or an image with its signature."""

    text: str | None = None
    data: bytes | None = field(default=None, repr=False)
    media_type: str | None = None
    signature: str | None = field(default=None, repr=False)
    """The provider's thoughtSignature (base64 text, 1–3 MB); must return on the same part."""

    def __post_init__(self) -> None:
        if self.text is not None:
            _check_words("the text of an earlier turn", self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of an earlier conversation; role is 'user' or 'model'."""

    role: str
    parts: tuple[TurnPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The turns so far and the model that drew them, for an edit that continues."""

    model: str
    family: str
    """Models of one family can read each other's thought signatures."""
    turns: tuple[Turn, ...]


MAX_IMAGES = 100
"""Images one request may ask for; more is a catalog run."""


_NAMED: Mapping[str, type[StrEnum]] = {
    "purpose": Purpose,
    "size": Size,
    "aspect": AspectRatio,
    "lane": Lane,
    "tier": Tier,
    "retired": RetiredPolicy,
    "quality_floor": Quality,
    "thinking": ThinkingLevel,
    "person_generation": PersonGeneration,
}
_NEEDED_WORDS = ("prompt", "scope")
_OTHER_WORDS = ("text", "system_instruction", "model", "language", "key")


def _check_words(name: str, value: object) -> None:
    """Refuse what cannot be sent: JSON is UTF-8, which has no place for half of a surrogate pair."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} {value!r} is no text")
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise InvalidRequest(
            f"{name} holds {value[problem.start]!a} as character {problem.start + 1}, which is no Unicode "
            f"text: half of a surrogate pair, or a byte that was not UTF-8; read the words as what they are"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What is wanted. Every field is validated here; capability limits are checked per model later.

    Raises InvalidRequest with the numbers and the way out.
    """

    prompt: str
    purpose: Purpose = Purpose.ECONOMY
    text: str | None = None
    """Words to render in the picture, letter for letter."""
    text_heavy: bool = False
    references: tuple[Reference, ...] = ()
    size: Size = Size.K1
    aspect: AspectRatio | None = None
    """None leaves the shape to the model (with a reference it follows the reference)."""
    n: int = 1
    lane: Lane = Lane.INTERACTIVE
    tier: Tier | None = None
    """A pin: only this role, no fallback to another."""
    model: str | None = None
    """A pin: only this model id."""
    retired: RetiredPolicy = RetiredPolicy.REFUSE
    max_cost: Nanos | None = None
    """Limit per image, compared with the expected quote."""
    max_total: Nanos | None = None
    """Limit for the whole request, compared with the expected quote."""
    quality_floor: Quality | None = None
    identity_locked: bool = False
    """The same character must come out: routed like character_lock, never degraded silently."""
    thinking: ThinkingLevel | None = None
    seed: int | None = None
    safety: tuple[SafetySetting, ...] = ()
    person_generation: PersonGeneration | None = None
    system_instruction: str | None = None
    grounding: tuple[Grounding, ...] = ()
    drafts: bool = False
    """Whether the pictures drawn while thinking are wanted too, from models that hand them out; free."""
    language: str | None = None
    """BCP 47 code of the prompt; None means: judged by its script."""
    conversation: Conversation | None = None
    allow: frozenset[Adaptation] = frozenset()
    compress: Compress | None = None
    """Whether a long prompt is shortened first; None: where `allow` or the policy lists it."""
    deadline: float | None = None
    """Seconds for the whole request; None means the default for the size."""
    scope: str = "default"
    key: str | None = None
    """Idempotency key."""

    def __post_init__(self) -> None:
        for name in _NEEDED_WORDS:
            _check_words(name, getattr(self, name))
        for name in _OTHER_WORDS:
            if getattr(self, name) is not None:
                _check_words(name, getattr(self, name))
        scope_path(self.scope)
        for name, kind in _NAMED.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                self._name(name, kind, value=value)
        if not self.prompt.strip():
            raise InvalidRequest("the prompt is empty; say what the picture shall show")
        if not 1 <= self.n <= MAX_IMAGES:
            raise InvalidRequest(f"n is {self.n}; ask for 1 to {MAX_IMAGES} images in one request")
        if self.text is not None and not self.text.strip():
            raise InvalidRequest("text to render is empty; leave it out or give the words")
        if self.tier is not None and self.model is not None:
            raise InvalidRequest(f"both tier {self.tier} and model {self.model} are pinned; pin one of them")
        if self.deadline is not None and not 0 < self.deadline < 86_400:
            raise InvalidRequest(f"deadline {self.deadline} s must be above 0 and below one day")
        if self.seed is not None and not -(2**31) <= self.seed < 2**31:
            raise InvalidRequest(f"seed {self.seed} does not fit 32 bits")
        for name, limit in (("max_cost", self.max_cost), ("max_total", self.max_total)):
            if limit is not None and limit < 0:
                raise InvalidRequest(f"{name} is {limit} nano-dollars; a limit cannot be negative")

    def _name(self, field_name: str, kind: type[StrEnum], *, value: str) -> None:
        """Plain text for an enum would compare equal and still not be the member: make it the member."""
        try:
            object.__setattr__(self, field_name, kind(value))
        except ValueError:
            raise InvalidRequest(f"{field_name} {value!r} is not one of {', '.join(kind)}") from None

    @property
    def renders_text(self) -> bool:
        return self.text is not None or self.text_heavy

    @property
    def locks_identity(self) -> bool:
        return self.identity_locked or self.purpose is Purpose.CHARACTER_LOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one reply says it used, in tokens; `images` counts Imagen's pictures, `searches` the queries."""

    prompt_tokens: int = 0
    candidates_tokens: int = 0
    image_tokens: int = 0
    """The IMAGE detail of the candidates' tokens."""
    thoughts_tokens: int = 0
    total_tokens: int = 0
    prompt_image_tokens: int = 0
    images: int = 0
    searches: int = 0

    @property
    def text_output_tokens(self) -> int:
        """Billed at the text rate: everything put out that is no image token."""
        return max(0, self.candidates_tokens - self.image_tokens) + self.thoughts_tokens


@dataclass(frozen=True, slots=True)
class Pixels:
    """Width and height."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
