"""Faults on demand: by request header, by rule, by script, by chance. See `catalogue()` for every name.

A fault is written `name` or `name;option=value;option=value`. `ok` is the fault that does nothing.

    emulator.faults.add("overloaded", model="gemini-3-pro-image", times=2)
    emulator.faults.script("overloaded", "ok", "rate_limit_minute;retry=12")
    emulator.faults.add("no_image", probability=0.1)
    emulator.faults.add("rate_limit_minute;retry=12", key="first-key")
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from gemini_emulator import fault_answers, fault_batches, fault_errors, fault_texts, fault_wires
from gemini_emulator.errors import Json

OK = "ok"
TEXT_CALL = "generateText"
"""generateContent of a text model, told apart from that of an image model."""
_GENERATE = frozenset({"generateContent", "streamGenerateContent"})
_CALLS = _GENERATE | {"predict", TEXT_CALL}

# stage → (descriptions by name, methods a rule without a method applies to)
_STAGES: Mapping[str, tuple[Mapping[str, str], frozenset[str]]] = {
    "error": (fault_errors.DESCRIPTIONS, _CALLS | {"batchGenerateContent"}),
    "wire": (fault_wires.DESCRIPTIONS, _CALLS | {"batchGenerateContent"}),
    "answer": (fault_answers.DESCRIPTIONS, _GENERATE),
    "text": (fault_texts.DESCRIPTIONS, frozenset({TEXT_CALL})),
    "predict": (fault_answers.PREDICT_DESCRIPTIONS, frozenset({"predict"})),
    "batch": (fault_batches.DESCRIPTIONS, frozenset({"batchGenerateContent"})),
    "poll": (fault_batches.POLL_DESCRIPTIONS, frozenset({"batches.get"})),
}
_WHOLE, _DECIMAL = re.compile(r"\d+"), re.compile(r"\d+(\.\d+)?")
_FORMS = dict.fromkeys(
    ("chunks", "count", "width", "height", "room", "code", "polls"), _WHOLE
) | dict.fromkeys(("seconds", "part", "retry"), _DECIMAL)
_STAGE_OF = {name: stage for stage, (names, _) in _STAGES.items() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault to happen now."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        return _STAGE_OF.get(self.name, OK)

    def number(self, option: str, default: float) -> float:
        return float(self.options.get(option, default))

    def count(self, option: str, default: int) -> int:
        return int(self.options.get(option, default))


def belongs(fault: Fault, method: str) -> bool:
    """Whether a fault can happen to a call of this method at all."""
    return fault.stage in {OK, "error", "wire"} or method in _STAGES[fault.stage][1]


def parse(text: str) -> Fault:
    """`name;k=v;k=v` as a value. Raises ValueError naming the nearest known faults."""
    name, *pairs = (piece.strip() for piece in text.split(";"))
    if name != OK and name not in _STAGE_OF:
        head = name.split("_")[0]
        near = sorted(known for known in _STAGE_OF if head and head in known) or sorted(_STAGE_OF)
        raise ValueError(f"no fault is called {name!r}; did you mean one of {', '.join(near)}?")
    options = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    odd = [pair for pair in pairs if pair and "=" not in pair]
    if odd:
        raise ValueError(f"fault {name!r} has the option {odd[0]!r}; write options as name=value")
    for option, pattern in _FORMS.items():
        if option in options and not pattern.fullmatch(options[option]):
            raise ValueError(f"fault {name!r} has {option}={options[option]!r}; give a number")
    return Fault(name=name, options=options)


def catalogue() -> Json:
    """Every fault: name → {stage, does}."""
    return {
        name: {"stage": stage, "does": does}
        for stage, (names, _) in _STAGES.items()
        for name, does in sorted(names.items())
    }


@dataclass(slots=True, kw_only=True)
class Rule:
    """Steps taken one per matching call; after the last it starts over if `repeat`, else is spent."""

    steps: Sequence[Fault]
    model: str | None = None
    method: str | None = None
    key: str | None = None
    """Only calls with this API key."""
    probability: float = 1.0
    repeat: bool = False
    position: int = 0

    @property
    def spent(self) -> bool:
        return not self.repeat and self.position >= len(self.steps)

    def fits(self, model: str | None, method: str, *, key: str) -> bool:
        if self.spent or self.model not in (None, model) or self.key not in (None, key):
            return False
        if self.method is not None:
            return self.method == method
        stage = self.step.stage
        return method in (_CALLS if stage == OK else _STAGES[stage][1])

    @property
    def step(self) -> Fault:
        return self.steps[self.position % len(self.steps)]

    def to_json(self) -> Json:
        return {
            "steps": [step.name for step in self.steps],
            "model": self.model,
            "method": self.method,
            "key": self.key,
            "probability": self.probability,
            "repeat": self.repeat,
            "position": self.position,
        }


class Faults:
    """The rules in force; may be changed from any thread while the server runs."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._rules: list[Rule] = []
        self._lock = Lock()

    def add(
        self,
        fault: str,
        *,
        model: str | None = None,
        method: str | None = None,
        key: str | None = None,
        times: int | None = None,
        probability: float = 1.0,
    ) -> None:
        """Let matching calls fail so: `times` of them (None: until cleared), each with a probability."""
        steps = [parse(fault)] * (times if times is not None else 1)
        self._append(
            Rule(
                steps=steps,
                model=model,
                method=method,
                key=key,
                probability=probability,
                repeat=times is None,
            )
        )

    def script(
        self,
        *faults: str,
        model: str | None = None,
        method: str | None = None,
        key: str | None = None,
        repeat: bool = False,
    ) -> None:
        """The first matching call fails as the first name says, the second so, then all is well."""
        self._append(
            Rule(steps=[parse(fault) for fault in faults], model=model, method=method, key=key, repeat=repeat)
        )

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._random = random.Random(self._seed)

    def claim(self, model: str | None, method: str, *, key: str = "") -> Fault | None:
        """What happens to this call; a matching rule is moved on. None: nothing."""
        with self._lock:
            for rule in self._rules:
                if rule.fits(model, method, key=key) and self._hits(rule):
                    fault = rule.step
                    rule.position += 1
                    return fault if fault.name != OK else None
        return None

    def rules(self) -> list[Json]:
        with self._lock:
            return [rule.to_json() for rule in self._rules if not rule.spent]

    def load(self, wishes: Iterable[Mapping[str, object]]) -> None:
        """Rules from JSON: {fault | script: [...], model, method, key, times, probability, repeat}."""
        for wish in wishes:
            rest = {name: value for name, value in wish.items() if name not in {"fault", "script"}}
            if "script" in wish:
                self.script(*wish["script"], **rest)  # type: ignore[misc,arg-type]  # a bad field raises TypeError
            else:
                self.add(str(wish.get("fault")), **rest)  # type: ignore[arg-type]  # as above

    def _append(self, rule: Rule) -> None:
        if not rule.steps:
            raise ValueError("a rule needs at least one fault")
        foreign = [step.name for step in rule.steps if rule.method and not belongs(step, rule.method)]
        if foreign:
            raise ValueError(f"fault {foreign[0]!r} cannot happen to a {rule.method} call")
        if not 0.0 <= rule.probability <= 1.0:
            raise ValueError(f"probability is {rule.probability}; give 0.0 to 1.0")
        with self._lock:
            self._rules.append(rule)

    def _hits(self, rule: Rule) -> bool:
        return rule.probability >= 1.0 or self._random.random() < rule.probability
