// Why an item is on a slate: a sentence, and bars of what moved its score.

import { call } from "./api.js";
import { el, short, signed } from "./dom.js";
import { inWords } from "./signals.js";

const OF = { profile: "Words of who they are", context: "Words of what they say", item: "Words of the item itself" };
const PARTS = { user: "Who they are in the data", profile: "Who they are, in words", context: "What they say now" };
const MOST_BARS = 8;

/** Open or close the reasons of an item. They are asked for when they are opened first. */
export async function reasonsPanel(panel, button, slate, item) {
  const opens = panel.hidden;
  panel.hidden = !opens;
  button.setAttribute("aria-expanded", String(opens));
  if (!opens || panel.dataset.state) return;
  panel.dataset.state = "asked";
  panel.replaceChildren(el("p", { class: "note", role: "status" }, "Looking for reasons …"));
  try {
    const { why: _, ...asked } = slate.asked;
    const told = await call("POST", "explain", { ...asked, ...shownBy(slate), policy: slate.policy, item: item.id });
    panel.replaceChildren(...explanation(told, item, slate));
  } catch (error) {
    delete panel.dataset.state;
    const missing = error.status === 404 || error.status === 405;
    panel.replaceChildren(el("p", { class: "wrong", role: "alert" }, missing ? "This server gives no reasons." : error.message));
  }
}

/** The slate's name, by which the server knows what it has shown; a slate that is not recorded has none. */
const shownBy = ({ recommendation }) => (recommendation ? { recommendation } : {});

/** The elements of an explanation (`Explanation.as_dict()`). */
function explanation(told, item, slate) {
  const unit = told.measure === "place" ? "in places that it would lose" : "in points of score, against the median item";
  const effects = [...(told.history ?? []), ...(told.person ?? [])];
  return [
    told.sentence ? el("p", { class: told.sentence === item.why ? "sentence same" : "sentence" }, told.sentence) : null,
    effects.length ? [el("h4", {}, "What moved it ", el("small", {}, unit)), bars(effects, new Map(slate.asked.history))] : null,
    ...(told.words ?? []).map(words),
    told.counterfactual ? [el("h4", {}, "What if"), el("p", {}, counterfactual(told.counterfactual))] : null,
    el("h4", {}, "How it came here"),
    el("p", {}, decision(slate.explored, item, told.place)),
    told.nearest?.length ? [el("h4", {}, "Nearest in the catalogue"), near(told.nearest)] : null,
    ...(told.notes ?? []).map((note) => el("p", { class: "note" }, note)),
  ].flat().filter(Boolean);
}

function bars(effects, done) {
  const shown = [...effects].sort((one, other) => Math.abs(other.effect) - Math.abs(one.effect)).slice(0, MOST_BARS);
  const most = Math.max(...shown.map((one) => Math.abs(one.effect)), 1e-12);
  const left = effects.length - shown.length;
  return el("ul", { class: "bars" }, shown.map((one) => {
    const fill = el("i", { class: one.effect < 0 ? "against" : "for" });
    fill.style.width = `${(50 * Math.abs(one.effect)) / most}%`;
    return el("li", {}, el("span", { class: "what" }, name(one, done)), el("span", { class: "bar", "aria-hidden": "true" }, fill),
      el("span", { class: "effect" }, signed(one.effect, most)));
  }), left > 0 ? el("li", { class: "note" }, `and ${left} smaller`) : null);
}

/** What a part is called; `done` is what was done with the items of the history. */
function name(effect, done) {
  if (effect.part in PARTS) return PARTS[effect.part];
  const signals = done.get(effect.id) ?? (effect.signal ? { [effect.signal]: effect.value } : null);
  return signals ? [effect.name, el("small", {}, ` ${inWords(signals)}`)] : effect.name;
}

/** A text with its words marked by what they did, from "against" to "for". */
function words(told) {
  const heading = el("h4", {}, OF[told.of] ?? told.of);
  if (!told.words?.length) return told.note ? [heading, el("p", { class: "note" }, told.note)] : [];
  const most = Math.max(...told.words.map((word) => Math.abs(word.effect)), 1e-12);
  const parts = [];
  let read = 0;
  for (const word of [...told.words].sort((one, other) => one.start - other.start)) {
    parts.push(told.text.slice(read, word.start), marked(told.text.slice(word.start, word.end), word.effect, most));
    read = word.end;
  }
  return [heading, el("p", { class: "words" }, parts, told.text.slice(read))];
}

function marked(text, effect, most) {
  const strength = Math.round((4 * Math.abs(effect)) / most);
  return strength ? el("mark", { class: `${effect < 0 ? "against" : "for"} s${strength}`, title: signed(effect, most) }, text) : text;
}

function counterfactual({ without, title }) {
  const part = without.part in PARTS ? PARTS[without.part].toLowerCase() : null;
  return part ? ["Without ", part, ", ", el("b", {}, title), " would have been here instead."]
    : ["Had they not met ", el("b", {}, without.name), ", ", el("b", {}, title), " would have been here instead."];
}

/** How the item came to its place, of which the slate that was shown knows; `best` is its place without exploration and rules. */
function decision(explored, { position, propensity }, best) {
  const how = explored ? "The slate was explored: it differs from the best one by chance." : "The policy shows what it finds best.";
  const chance = propensity === null || propensity === 1 ? "" : ` The probability of this item at this place was ${short(propensity)}.`;
  return `${how}${chance}${best && best !== position + 1 ? ` Without exploration and rules it would be number ${best}.` : ""}`;
}

const near = (items) => el("ul", { class: "near" }, items.slice(0, 5).map((one) => el("li", {}, one.title, el("small", {}, ` ${short(one.similarity, 2)}`))));
