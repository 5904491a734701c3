// What a person can do with an item: a control for each signal that a policy reads, and the same in words.

import { el, short } from "./dom.js";

const MOST = 5;
const DONE = { click: "clicked", like: "liked", purchase: "bought", skip: "skipped", share: "shared", follow: "followed" };
const DO = { click: "Click", like: "Like", purchase: "Buy", skip: "Skip", share: "Share", follow: "Follow" };

/** What was done, as in "clicked, rated 4". */
export function inWords(signals) {
  const parts = Object.entries(signals).filter(([, value]) => value !== 0);
  const rated = parts.some(([name]) => name === "rating");
  const told = parts.filter(([name]) => !(rated && name === "click"));
  if (!told.length) return "passed over";
  return told.map(([name, value]) => (name === "rating" ? `rated ${short(value)}` : name in DONE ? DONE[name] : `${name} ${short(value)}`)).join(", ");
}

/** The controls of one item; `give` is called with the signals. */
export function controls(signals, title, give) {
  const made = signals.filter((name) => name in DO).map((name) =>
    el("button", { type: "button", "data-signal": name, "aria-label": `${DO[name]}: ${title}`, onclick: () => give({ [name]: 1 }) }, DO[name]));
  if (signals.includes("rating")) made.push(rating(signals, title, give));
  for (const name of signals) if (!(name in DO) && name !== "rating") made.push(number(name, title, give));
  return el("div", { class: "controls", role: "group", "aria-label": `What they do with ${title}` }, made);
}

function rating(signals, title, give) {
  const told = (stars) => (signals.includes("click") ? { click: 1, rating: stars } : { rating: stars });
  const buttons = Array.from({ length: MOST }, (_, place) =>
    el("button", { type: "button", "data-signal": `rating-${place + 1}`, "aria-label": `Rate ${place + 1} of ${MOST}: ${title}`,
      onclick: () => give(told(place + 1)) }, String(place + 1)));
  return el("span", { class: "rating" }, el("span", { class: "note", "aria-hidden": "true" }, "Rate"), buttons);
}

function number(name, title, give) {
  const field = el("input", { type: "number", step: "any", "aria-label": `${name} of ${title}`, placeholder: name });
  const send = () => field.value !== "" && Number.isFinite(field.valueAsNumber) && give({ [name]: field.valueAsNumber });
  field.addEventListener("keydown", (event) => event.key === "Enter" && send());
  return el("span", { class: "number" }, field, el("button", { type: "button", "data-signal": name, onclick: send }, "Tell"));
}
