"""The words that go to the model: the caller's prompt, and the text to render."""

from image_router.core.types import ImageRequest


def final_prompt(request: ImageRequest) -> str:
    """The prompt as sent. Text to render is named letter for letter, in quotes, as vendors advise
    (https://ai.google.dev/gemini-api/docs/image-generation, read 2026-10-08)."""
    if request.text is None:
        return request.prompt
    return f'{request.prompt}\n\nRender this text exactly, letter for letter: "{request.text}"'


def prompt_bytes(request: ImageRequest) -> int:
    """UTF-8 bytes of all words sent, history included: no tokenizer makes more tokens than bytes."""
    words = final_prompt(request) + (request.system_instruction or "")
    if request.conversation:
        words += "".join(part.text or "" for turn in request.conversation.turns for part in turn.parts)
    return len(words.encode())


def history_images(request: ImageRequest) -> int:
    """Pictures in the earlier turns; each is billed as an input image again."""
    if not request.conversation:
        return 0
    return sum(part.data is not None for turn in request.conversation.turns for part in turn.parts)
