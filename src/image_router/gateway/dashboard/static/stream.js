// One stream for the whole page: when something it shows has changed, the page is fetched again and those
// parts are put in place. After a cut the first event says what was missed.

const PAUSE = 2000;
const AGAIN = 3000;
const meta = document.querySelector('meta[name="stamps"]');
const sign = document.getElementById("live-sign");
/** @type {Record<string, string>} topic → stamp of what is shown */
let shown = JSON.parse(meta?.content ?? "{}");
let wanted = shown;
let busy = false;

/** @param {"on" | "off" | "ended"} state @param {string} words */
function tell(state, words) {
  sign.dataset.state = state;
  if (sign.lastElementChild.textContent !== words) sign.lastElementChild.textContent = words;
}

const mine = () => [...document.querySelectorAll("[data-live]")];
const stale = () => Object.keys(wanted).filter((topic) => wanted[topic] !== shown[topic]);

async function resync() {
  const topics = stale();
  const parts = mine().filter((part) => part.dataset.live.split(" ").some((topic) => topics.includes(topic)));
  if (busy || parts.length === 0) return;
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error("no page");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) replace(part, fresh.getElementById(part.id));
    shown = JSON.parse(fresh.querySelector('meta[name="stamps"]').content);
  } catch {
    // The stream says by itself when nobody is there; the next event tries again.
  }
  setTimeout(() => { busy = false; resync(); }, PAUSE);
}

/** @param {HTMLElement} part @param {HTMLElement | null} fresh */
function replace(part, fresh) {
  if (!fresh || part.innerHTML === fresh.innerHTML || part.querySelector("form:focus-within")) return;
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  const focus = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceChildren(...document.adoptNode(fresh).childNodes);
  part.querySelectorAll("details").forEach((each, place) => { each.open = open[place] ?? each.open; });
  if (focus) document.getElementById(focus)?.focus();
}

function listen() {
  const source = new EventSource(meta.dataset.stream);
  source.addEventListener("open", () => tell("on", "Live"));
  source.addEventListener("stamps", (event) => {
    wanted = { ...wanted, ...JSON.parse(event.data) };
    resync();
  });
  source.addEventListener("signed-out", () => {
    source.close();
    tell("ended", "Signed out");
  });
  source.addEventListener("error", () => {
    tell("off", "Reconnecting");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN);
  });
}

if (meta && sign && mine().length) {
  sign.hidden = false;
  listen();
}
