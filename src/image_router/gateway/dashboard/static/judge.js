// Keep or reject, in place.

/** Once for a page. */
export function judging() {
  document.addEventListener("submit", judge);
}

async function judge(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-judge]")) return;
  event.preventDefault();
  const pressed = event.submitter;
  const label = pressed?.className;
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new FormData(form, pressed), headers: { "x-part": "fragment" },
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const box = document.createElement("div");
    box.innerHTML = await answer.text();
    const fresh = box.querySelector("form");
    form.replaceWith(fresh);
    if (label) fresh.querySelector(`button.${label}`)?.focus();
  } catch {
    if (pressed) pressed.title = "This was not written down; try again";
    form.classList.add("unsaid");
  }
}
