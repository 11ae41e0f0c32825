// The live router: the answer follows the controls; Generate shows the picture in place.
import { follow, notice } from "./follow.js";

const form = document.getElementById("controls");
const answer = document.getElementById("answer");

follow(form, (target) => {
  const winners = [...target.querySelectorAll("#verdict-title .tier-name")].map((one) => one.textContent);
  const who = winners.join(", then ") || target.querySelector("#problem-title")?.textContent.trim();
  const price = target.querySelector("#expected")?.textContent;
  return price ? `${who}, ${price}` : who ?? "";
});

form.addEventListener("input", (event) => {
  if (event.target.type === "range") {
    const shown = form.querySelector(`[data-of="${event.target.id}"]`);
    if (shown) shown.textContent = event.target.value + shown.dataset.unit;
  }
});

answer.addEventListener("submit", async (event) => {
  const sent = event.target;
  if (!sent.matches("[data-make]")) return;
  event.preventDefault();
  const button = sent.querySelector("button");
  if (button.hasAttribute("aria-busy")) return;
  const words = button.textContent;
  const place = document.getElementById("made");
  const began = Date.now();
  button.setAttribute("aria-busy", "true");
  const clock = setInterval(() => { button.textContent = `Making… ${Math.round((Date.now() - began) / 1000)} s`; }, 500);
  button.textContent = "Making…";
  try {
    const made = await fetch(sent.action, { method: "POST", body: new FormData(sent), headers: { "x-part": "fragment" } });
    place.innerHTML = await made.text();
    if (made.ok) sent.elements.key.value = `dashboard-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
  } catch {
    place.replaceChildren(notice("The connection broke. Press again: what was already paid is not paid twice."));
  }
  clearInterval(clock);
  button.textContent = words;
  button.removeAttribute("aria-busy");
});
