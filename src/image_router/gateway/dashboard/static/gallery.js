// The gallery: older pictures come when the end of the wall comes into view.

const wall = document.getElementById("wall");

async function extend(link) {
  if (link.hasAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  const place = link.closest("li");
  const hadFocus = document.activeElement === link;
  try {
    const answer = await fetch(link.href, { headers: { "x-part": "fragment" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const older = document.createElement("ul");
    older.innerHTML = await answer.text();
    const first = older.querySelector("a");
    place.replaceWith(...older.children);
    if (hadFocus) first?.focus();
    watch();
  } catch {
    // The link stays what it is: a way to the next page.
    link.removeAttribute("aria-busy");
  }
}

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) {
      observer.unobserve(entry.target);
      extend(entry.target);
    }
  }
}, { rootMargin: "3000px" });

function watch() {
  const link = wall?.querySelector("[data-more]");
  if (link) observer.observe(link);
}

watch();
