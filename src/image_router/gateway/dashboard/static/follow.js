// Controls whose answer follows at once: the server renders it, this puts it in place and names it in the URL.
import { enliven } from "./app.js";

const PAUSE = 120;

/**
 * @param {HTMLFormElement} form with data-live (where the answer comes from) and data-target (where it goes)
 * @param {(target: HTMLElement) => string} summary what is read out when the answer changed
 */
export function follow(form, summary) {
  const target = document.getElementById(form.dataset.target);
  const status = document.getElementById("said");
  let timer = 0;
  let asking = new AbortController();

  async function ask() {
    asking.abort();
    asking = new AbortController();
    const query = new URLSearchParams(new FormData(form));
    target.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${form.dataset.live}?${query}`, {
        headers: { "x-part": "fragment" }, signal: asking.signal,
      });
      if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error("no page");
      target.innerHTML = await answer.text();
      if (answer.ok) history.replaceState(null, "", `${form.getAttribute("action")}?${query}`);
      enliven(target);
      status.textContent = summary(target);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      status.textContent = "The gateway does not answer; what is shown is not of these controls.";
      target.prepend(notice(status.textContent));
    }
    target.removeAttribute("aria-busy");
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
}

/** @param {string} words */
export function notice(words) {
  const shown = document.createElement("p");
  shown.className = "card problem";
  shown.setAttribute("role", "alert");
  shown.textContent = words;
  return shown;
}
