// What every page does: colours without a reload, and copying.

document.documentElement.classList.add("js");

/** @param {ParentNode} root */
export function enliven(root) {
  for (const button of root.querySelectorAll("[data-copy]")) {
    if (navigator.clipboard) button.hidden = false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!button) return;
  const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = words; }, 1500);
});

for (const form of document.querySelectorAll("[data-theme-form]")) {
  form.addEventListener("submit", (event) => {
    const chosen = event.submitter;
    if (!chosen) return;
    event.preventDefault();
    document.documentElement.dataset.theme = chosen.value;
    for (const each of form.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each === chosen));
    }
    fetch(form.action, { method: "POST", body: new FormData(form, chosen), redirect: "manual" });
  });
}

document.querySelector(".top [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
enliven(document);
