"""How long painting takes: `python bench/bench_pictures.py` prints a table of CPU milliseconds.

Each row is the best of five paints, encoding included. Target on one core: 60 ms at 1024x1024 and
500 ms at 4096x4096.
"""

from __future__ import annotations

import time

from gemini_emulator.pictures import Brief, paint

PROMPTS = {
    "character": "a happy fox riding a bicycle in the rain in the city",
    "product": "a red ceramic mug on a wooden table",
    "poster": "abstract poster",
    "landscape": "mountain landscape at sunset",
}
SIDES = (512, 1024, 2048, 4096)


def best_of(runs: int, brief: Brief) -> tuple[float, int]:
    """Least CPU milliseconds, and the file's bytes."""
    least, size = float("inf"), 0
    for _ in range(runs):
        start = time.thread_time()
        size = len(paint(brief))
        least = min(least, time.thread_time() - start)
    return least * 1000, size


def main() -> None:
    print(f"{'picture':12}{'format':8}{'side':>6}{'ms':>8}{'kB':>8}")
    for name, prompt in PROMPTS.items():
        for side in SIDES:
            for media_type in ("image/png", "image/jpeg"):
                brief = Brief(
                    prompt=prompt,
                    model="gemini-3-pro-image",
                    seed=1,
                    width=side,
                    height=side,
                    references=(),
                    letters=("SUMMER SALE",) if name == "poster" else (),
                    text_grade=5,
                    media_type=media_type,
                )
                milliseconds, size = best_of(5, brief)
                kind = media_type.removeprefix("image/")
                print(f"{name:12}{kind:8}{side:6}{milliseconds:8.0f}{size // 1024:8}")


if __name__ == "__main__":
    main()
