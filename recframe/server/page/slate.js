// A slate: its items, what is new in it, and what can be done with them.

import { el, calm, plural, short } from "./dom.js";
import { reasonsPanel } from "./reasons.js";
import { controls } from "./signals.js";

const MOVE = { duration: 260, easing: "cubic-bezier(.2,.7,.2,1)" };

/** What an item's place is compared with that before: "new", places up (> 0) or down, 0: the same; null: there was none before. */
export function change(id, place, before) {
  if (!before) return null;
  const was = before.indexOf(id);
  return was < 0 ? "new" : was - place;
}

/** The changes of a slate in words. */
export function changesInWords(ids, before) {
  if (!before) return plural(ids.length, "item");
  const changes = ids.map((id, place) => change(id, place, before));
  const fresh = changes.filter((one) => one === "new").length, moved = changes.filter((one) => one !== "new" && one !== 0).length;
  if (!fresh && !moved) return `${plural(ids.length, "item")}, the same as before`;
  return `${plural(ids.length, "item")}: ${[fresh && `${fresh} new`, moved && `${moved} moved`].filter(Boolean).join(", ")}`;
}

/** Put a slate into the section `into`, in the place of the one before, of which `before` are the ids. */
export function showSlate(into, slate, { before, signals, elsewhere, give }) {
  const places = new Map([...into.querySelectorAll("li[data-item]")].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
  const scores = slate.items.map((item) => item.score).filter((score) => score !== null);
  const range = { low: Math.min(...scores), high: Math.max(...scores) };
  const rows = slate.items.map((item, place) => row(item, place, { slate, before, signals, elsewhere, give, range }));
  const list = el("ol", { class: "items" }, rows);
  into.querySelector(".items, .none")?.remove();
  into.append(rows.length ? list : el("p", { class: "none note" }, "Nothing may be shown."));
  into.classList.remove("stale");
  if (calm()) return;
  for (const made of rows) {
    const was = places.get(made.dataset.item), now = made.getBoundingClientRect().top;
    if (was !== undefined && was !== now) made.animate([{ transform: `translateY(${was - now}px)` }, { transform: "none" }], MOVE);
    else if (was === undefined && places.size) made.animate([{ opacity: 0 }, { opacity: 1 }], MOVE);
  }
}

function row(item, place, { slate, before, signals, elsewhere, give, range }) {
  const panel = el("div", { class: "reasons", id: `why-${slate.side}-${place}`, hidden: true });
  const why = el("button", { type: "button", class: "link why", "aria-expanded": "false", "aria-controls": panel.id,
    "aria-label": `Why ${item.title}?` }, "Why?");
  why.addEventListener("click", () => reasonsPanel(panel, why, slate, item));
  const done = controls(signals, item.title, (told) => give(item, told, place));
  if (!slate.recommendation) for (const button of done.querySelectorAll("button, input")) button.disabled = true;
  return el("li", { "data-item": item.id },
    el("span", { class: "rank", "aria-hidden": "true" }, String(place + 1)),
    el("div", { class: "body" },
      el("h3", {}, el("span", { class: "title" }, item.title), mark(change(item.id, place, before))),
      about(item.attributes ?? {}),
      item.why ? el("p", { class: "sentence" }, reason(item)) : null,
      el("div", { class: "row" }, done, why)),
    el("div", { class: "score" }, item.score === null ? null : [el("span", { title: "The policy's score" }, short(item.score)), scoreBar(item.score, range)],
      elsewhere ? el("span", { class: "note" }, elsewhere(item.id)) : null),
    panel);
}

/** The sentence of an item, without the title and the place that are beside it. */
function reason({ why, title }) {
  const known = `'${title}' is at place `;
  if (!why.startsWith(known)) return why;
  const rest = why.slice(known.length).replace(/^\d+; /, "");
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

function scoreBar(score, { low, high }) {
  const bar = el("i", { class: "scorebar", "aria-hidden": "true" }), fill = el("i");
  fill.style.width = `${high > low ? 12 + (88 * (score - low)) / (high - low) : 100}%`;
  bar.append(fill);
  return bar;
}

function mark(changed) {
  if (!changed) return null;
  if (changed === "new") return el("span", { class: "mark" }, "new");
  const [arrow, words] = changed > 0 ? ["↑", "up"] : ["↓", "down"];
  return el("span", { class: "mark moved" }, el("span", { "aria-hidden": "true" }, `${arrow}${Math.abs(changed)}`),
    el("span", { class: "unseen" }, `${words} ${plural(Math.abs(changed), "place")}`));
}

/** The attributes of an item that are worth a line: its longest text, and short words. */
function about(attributes) {
  const texts = Object.values(attributes).filter((value) => typeof value === "string" && value.length > 60);
  const words = Object.entries(attributes).flatMap(([, value]) =>
    Array.isArray(value) ? value.filter((one) => typeof one === "string") : typeof value === "string" && value.length <= 60 ? [value] : []);
  return [texts.length ? el("p", { class: "description" }, texts[0]) : null,
    words.length ? el("p", { class: "tags" }, [...new Set(words)].slice(0, 8).join(" · ")) : null];
}
