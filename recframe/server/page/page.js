// The page of a server: a person's history and words, the slates for them, and what their feedback changes.

import { call, newKey, useKey } from "./api.js";
import { by, calm, el, plural } from "./dom.js";
import { startLive } from "./live.js";
import { startSearch } from "./search.js";
import { inWords } from "./signals.js";
import { changesInWords, showSlate } from "./slate.js";
import { add, foundSignals, keep, question, remove, setWords, startOver, visit } from "./visit.js";

const SIDES = ["a", "b"];
let policies = [];
let look = () => {}, search = null;
const slates = {};

async function start() {
  try {
    policies = (await call("GET", "policy")).policies;
  } catch (error) {
    report(error);
    return;
  }
  report(null);
  describe();
  if (search) {
    // the key has changed: what was started goes on
    search();
    look();
    return;
  }
  look = startLive();
  search = startSearch((item) => {
    add(item, foundSignals(signalsOf("")));
    changed(`Added: ${item.title}`);
  }, report);
}

function describe() {
  const [main] = policies, reads = (what) => policies.some((one) => one[what]);
  by("about").replaceChildren(el("b", {}, main.agent), ` · version ${main.version} · ${plural(main.items, "item")}`,
    main.exploration?.kind && main.exploration.kind !== "none" ? ` · explores (${main.exploration.kind})` : "");
  by("profile-block").hidden = !reads("reads_profiles");
  by("say-block").hidden = !reads("reads_context");
  by("profile").value = visit.profile;
  by("say").value = visit.say;
  if (policies.length > 1) {
    by("policy-label").hidden = by("compare-label").hidden = false;
    by("policy").replaceChildren(el("option", { value: "" }, "by the shares"), ...options());
  }
  showHistory();
}

const options = (chosen) => policies.map((one) => el("option", { value: one.name, selected: one.name === chosen }, `${one.name} (${one.agent})`));

/** Show what went wrong, or nothing. */
function report(error) {
  const place = by("problem");
  place.hidden = !error || error.status === 401;
  place.textContent = error && error.status !== 401 ? error.message : "";
  if (error?.status === 401) {
    by("key-form").hidden = false;
    by("key").focus();
    if (sessionStorage.getItem("recframe.key")) {
      place.hidden = false;
      place.textContent = error.message;
    }
  }
}

function showHistory() {
  const { history } = visit;
  by("history").replaceChildren(...history.map((entry, place) => el("li", {},
    el("span", { class: "title" }, entry.title), el("span", { class: "did" }, inWords(entry.signals)),
    el("button", { type: "button", class: "remove", "aria-label": `Remove ${entry.title} from the history`, onclick: () => {
      remove(place);
      changed(`Removed: ${entry.title}`);
      (by("history").querySelectorAll("button")[Math.min(place, history.length - 1)] ?? by("search")).focus();
    } }, "×"))));
  by("history-note").hidden = history.length > 0;
  by("restart").hidden = !history.length && !visit.session;
}

/** The person is another now: slates that are shown are of the one before. */
function changed(said) {
  showHistory();
  for (const shown of document.querySelectorAll(".slate")) shown.classList.add("stale");
  say(document.querySelector(".slate") ? `${said}. The slate is that of before: recommend again.` : said);
}

const say = (words) => by("said").replaceChildren(words);

/** What a policy reads of what people do; without a name: what all of them read. */
const signalsOf = (name) => policies.filter((one) => !name || one.name === name).map((one) => one.signals)
  .reduce((common, signals) => common.filter((one) => signals.includes(one)));

function chosen() {
  if (!by("compare").checked) return [by("policy").value];
  return SIDES.map((side, place) => by(`policy-${side}`)?.value ?? policies[place].name);
}

async function ask() {
  setWords(by("profile-block").hidden ? "" : by("profile").value.trim(), by("say-block").hidden ? "" : by("say").value.trim());
  const names = chosen(), k = by("k").valueAsNumber;
  by("recommend").disabled = true;
  try {
    const answers = [];
    // one after the other: the first begins the session
    for (const [place, name] of names.entries()) {
      const asked = question(k, name, signalsOf(name)), answer = await call("POST", "recommend", asked);
      visit.session = answer.session;
      answers.push({ ...answer, asked, side: SIDES[place] });
    }
    keep();
    report(null);
    show(answers);
  } catch (error) {
    report(error);
  } finally {
    by("recommend").disabled = false;
  }
  showHistory();
  look();
}

function show(answers) {
  const compares = answers.length > 1;
  const place = by("slates");
  place.classList.toggle("two", compares);
  place.querySelector(".empty")?.remove();
  for (const side of SIDES.slice(answers.length)) {
    place.querySelector(`#slate-${side}`)?.remove();
    delete slates[side];
  }
  const said = answers.map((answer, number) => {
    const before = slates[answer.side]?.policy === answer.policy ? slates[answer.side].items.map((item) => item.id) : null;
    const other = compares ? answers[1 - number] : null;
    const section = by(`slate-${answer.side}`) ?? place.appendChild(el("section", { class: "slate", id: `slate-${answer.side}` }));
    section.querySelector(".whose")?.remove();
    section.prepend(whose(answer, compares));
    showSlate(section, answer, { before, signals: signalsOf(answer.policy), elsewhere: other && ((id) => elsewhere(id, other)), give: (...told) => give(answer, ...told) });
    slates[answer.side] = answer;
    const words = changesInWords(answer.items.map((item) => item.id), before);
    return compares ? `${answer.policy}: ${words}` : words;
  });
  const unrecorded = answers.some((answer) => !answer.recommendation);
  say(`${said.join("; ")}.${unrecorded ? " It is not recorded, and takes no feedback: the store cannot keep it now." : ""}`);
}

function whose(answer, compares) {
  const chooser = compares && el("select", { id: `policy-${answer.side}`, "aria-label": `Policy on this side`, onchange: ask }, options(answer.policy));
  return el("p", { class: "whose" }, chooser || el("b", {}, answer.policy), ` version ${answer.version}`,
    answer.explored ? el("span", { class: "mark", title: "It differs from the best slate by chance" }, "explored") : null);
}

function elsewhere(id, other) {
  const place = other.items.findIndex((item) => item.id === id);
  return place < 0 ? "only here" : `also there, at ${place + 1}`;
}

async function give(answer, item, signals, place) {
  const control = document.activeElement?.dataset.signal;
  try {
    await call("POST", "feedback", { recommendation: answer.recommendation, item: item.id, signals, key: newKey() });
  } catch (error) {
    report(error);
    return;
  }
  add(item, signals, answer.recommendation);
  await ask();
  const row = by(`slate-${answer.side}`)?.querySelectorAll("li[data-item]")[place];
  (row?.querySelector(`[data-signal="${control}"]`) ?? by("answer")).focus({ preventScroll: true });
}

by("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  await ask();
  // on a phone the slate is below what was asked
  if (by("problem").hidden && by("answer").getBoundingClientRect().top > innerHeight / 2)
    by("answer").scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
});
by("compare").addEventListener("change", () => {
  by("policy-label").hidden = by("compare").checked;
  if (document.querySelector(".slate")) ask();
});
by("restart").addEventListener("click", () => {
  startOver();
  changed("The visit was forgotten");
  by("search").focus();
});
by("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(by("key").value);
  by("key-form").hidden = true;
  start();
});
document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select");
  if (event.key === "Escape") {
    const open = event.target.closest("li")?.querySelector('[aria-expanded="true"]');
    open?.click();
    open?.focus();
  }
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") by("search").focus();
  else if (event.key === "r") by("ask").requestSubmit();
  else return;
  event.preventDefault();
});
start();
