// The playground: the price follows the controls, references are dropped in, a run is watched until it is over.
import { follow, notice } from "./follow.js";
import { judging } from "./judge.js";

const PAUSE = 700;
const form = document.getElementById("controls");
const price = document.getElementById("price");
const place = document.getElementById("run");
const said = document.getElementById("said");
const files = document.getElementById("files");
const wrong = document.getElementById("drop-problem");

judging();
files?.removeAttribute("name");
follow(form, (target) => target.querySelector("#expected")?.textContent ?? target.querySelector("#problem-title")?.textContent.trim() ?? "");

/** @param {Iterable<File>} found */
async function bring(found) {
  const pictures = [...found].filter((file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name));
  if (!files || !pictures.length) return;
  const body = new FormData(form);
  body.set("form_token", form.querySelector("[data-bring]").value);
  for (const file of pictures) body.append("files", file);
  wrong.hidden = true;
  form.querySelector("[data-drop]").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch("/dashboard/playground/references", { method: "POST", body, headers: { "x-part": "fragment" } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(parsed(text).querySelector(".told")?.textContent ?? `status ${answer.status}`);
    document.getElementById("refs").innerHTML = text;
    said.textContent = `${form.querySelectorAll(".refs li").length} references`;
    changed();
  } catch (problem) {
    wrong.textContent = problem instanceof TypeError ? "The gateway does not answer; try again." : problem.message;
    wrong.hidden = false;
  }
  form.querySelector("[data-drop]").removeAttribute("aria-busy");
  files.value = "";
}

function changed() {
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

/** @param {string} html */
function parsed(html) {
  const box = document.createElement("template");
  box.innerHTML = html;
  return box.content;
}

files?.addEventListener("input", (event) => {
  event.stopPropagation();
  bring(files.files);
});
form.addEventListener("click", (event) => {
  const out = event.target instanceof Element ? event.target.closest("[name=drop]") : null;
  if (!out) return;
  event.preventDefault();
  out.closest("li").remove();
  (files ?? form).focus();
  changed();
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) {
    event.preventDefault();
    bring(event.clipboardData.files);
  }
});
let depth = 0;
for (const [name, step] of [["dragenter", 1], ["dragleave", -1]]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth = Math.max(0, depth + step);
    document.body.classList.toggle("dragging", depth > 0);
  });
}
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  bring(event.dataTransfer.files);
});

let pieces = new Map();
let timer = 0;

function remember() {
  pieces = new Map([...place.querySelectorAll("[data-piece]")].map((one) => [one.dataset.piece, one.outerHTML]));
}

/** Put the new state in place; what did not change keeps its pictures, its focus and its open details. */
function show(html) {
  const fresh = parsed(html).firstElementChild;
  const shown = place.querySelector("[data-run]");
  const same = shown && fresh?.dataset.run === shown.dataset.run;
  const fits = same && [...fresh.querySelectorAll("[data-piece]")].every((one) => pieces.has(one.dataset.piece));
  if (!fits) {
    place.replaceChildren(...(fresh ? [fresh] : []));
    remember();
    return;
  }
  shown.toggleAttribute("data-over", fresh.hasAttribute("data-over"));
  for (const one of fresh.querySelectorAll("[data-piece]")) {
    const name = one.dataset.piece;
    const html = one.outerHTML;
    if (pieces.get(name) === html) continue;
    pieces.set(name, html);
    shown.querySelector(`[data-piece="${CSS.escape(name)}"]`).replaceWith(one);
  }
}

function tell() {
  const title = place.querySelector("#run-title")?.textContent ?? "";
  const money = place.querySelector(".run-money")?.textContent ?? "";
  const words = `${title}. ${money}`;
  if (said.textContent !== words) said.textContent = words;
}

async function watch() {
  clearTimeout(timer);
  const shown = place.querySelector("[data-run]");
  if (!shown || shown.hasAttribute("data-over")) return;
  try {
    const answer = await fetch(`/dashboard/playground/run?${new URLSearchParams({ run: shown.dataset.run })}`, { headers: { "x-part": "fragment" } });
    if (answer.status === 401) throw new Error(parsed(await answer.text()).querySelector(".told")?.textContent);
    if (answer.ok) {
      place.querySelector("[data-away]")?.remove();
      show(await answer.text());
      tell();
    }
  } catch {
    if (!place.querySelector("[data-away]")) {
      const away = notice("The gateway does not answer just now; what was begun goes on, and this page looks again.");
      away.dataset.away = "";
      place.prepend(away);
    }
  }
  timer = setTimeout(watch, document.hidden ? 4 * PAUSE : PAUSE);
}

function keep(run) {
  let field = form.querySelector("[name=run]");
  if (!field) {
    field = Object.assign(document.createElement("input"), { type: "hidden", name: "run" });
    form.prepend(field);
  }
  field.value = run;
}

price.addEventListener("submit", async (event) => {
  const sent = event.target;
  if (!sent.matches("[data-make]")) return;
  event.preventDefault();
  const button = sent.querySelector("button");
  if (button.hasAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(sent.action, { method: "POST", body: new FormData(sent), headers: { "x-part": "fragment" } });
    const html = await answer.text();
    if (answer.ok) {
      show(html);
      const begun = place.querySelector("[data-run]");
      keep(begun.dataset.run);
      history.pushState(null, "", begun.dataset.address);
      sent.elements.key.value = `playground-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
      if (place.getBoundingClientRect().top > innerHeight * 0.6) place.scrollIntoView({ block: "start" });
    } else {
      place.replaceChildren(parsed(html));
    }
    tell();
  } catch {
    place.prepend(notice("The connection broke. Press again: what was already paid is not paid twice."));
  }
  button.removeAttribute("aria-busy");
  watch();
});

place.addEventListener("submit", async (event) => {
  const sent = event.target;
  if (!sent.matches("[data-cancel]")) return;
  event.preventDefault();
  sent.querySelector("button").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(sent.action, { method: "POST", body: new FormData(sent), headers: { "x-part": "fragment" } });
    if (answer.ok) show(await answer.text());
  } catch {
    place.prepend(notice("The gateway does not answer; nothing was cancelled yet."));
  }
  watch();
});

addEventListener("popstate", () => {
  const named = new URLSearchParams(location.search).get("run");
  if (named !== (place.querySelector("[data-run]")?.dataset.run ?? null)) location.reload();
});
remember();
watch();
