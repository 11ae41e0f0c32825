// Economics: a logarithmic volume, and shares that always make a hundred.
import { follow } from "./follow.js";

const form = document.getElementById("controls");
const volume = document.getElementById("volume");
const images = document.getElementById("images");
const volumes = volume.dataset.volumes.split(" ").map(Number);
const sliders = [...form.querySelectorAll("[data-share]")];
const numbers = sliders.map((slider) => document.getElementById(slider.dataset.share));

function nearest(count) {
  return volumes.reduce((best, each, place) => (Math.abs(each - count) < Math.abs(volumes[best] - count) ? place : best), 0);
}

/** The others give and take in proportion; the largest remainders get what rounding leaves. */
function balance(moved, wanted) {
  const others = numbers.filter((_, place) => place !== moved);
  const left = 100 - wanted;
  const before = others.reduce((sum, each) => sum + Number(each.value), 0);
  const exact = others.map((each) => (before ? (Number(each.value) * left) / before : left / others.length));
  const whole = exact.map(Math.floor);
  const order = exact.map((share, place) => [share - whole[place], place]).sort((a, b) => b[0] - a[0]);
  for (let rest = left - whole.reduce((sum, each) => sum + each, 0), turn = 0; rest > 0; rest -= 1, turn += 1) {
    whole[order[turn % order.length][1]] += 1;
  }
  others.forEach((each, place) => { each.value = String(whole[place]); });
  numbers[moved].value = String(wanted);
  numbers.forEach((each, place) => { sliders[place].value = each.value; });
}

form.addEventListener("input", (event) => {
  const control = event.target;
  if (control === volume) {
    images.value = String(volumes[Number(volume.value)]);
    volume.setAttribute("aria-valuetext", `${Number(images.value).toLocaleString("en")} pictures`);
  } else if (control === images) {
    volume.value = String(nearest(Number(images.value)));
    volume.setAttribute("aria-valuetext", `${Number(images.value).toLocaleString("en")} pictures`);
  }
  const place = sliders.indexOf(control) >= 0 ? sliders.indexOf(control) : numbers.indexOf(control);
  if (place >= 0) balance(place, Math.min(100, Math.max(0, Math.round(Number(control.value)) || 0)));
}, true);

follow(form, (target) => target.querySelector("#verdict-title, #problem-title")?.textContent.trim() ?? "");
