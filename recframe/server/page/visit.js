// One visit: the history that the strip shows is the one that is asked with. It lives as long as the tab.

import { call } from "./api.js";

const PLACE = "recframe.visit";

export const visit = { session: null, history: [], profile: "", say: "", ...stored() };

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE)) ?? {};
  } catch {
    return {};
  }
}

export function keep() {
  sessionStorage.setItem(PLACE, JSON.stringify(visit));
}

/** What somebody did with an item that they found themselves. */
export function foundSignals(signals) {
  if (signals.includes("click")) return { click: 1 };
  return signals.includes("rating") ? { rating: 5 } : { [signals[0] ?? "click"]: 1 };
}

/** Add what was done with an item; what is done with an item of the same recommendation is added to its entry. */
export function add(item, signals, recommendation = null) {
  const known = recommendation && visit.history.find((entry) => entry.id === item.id && entry.recommendation === recommendation);
  if (known) Object.assign(known.signals, signals);
  else visit.history.push({ id: item.id, title: item.title, signals: { ...signals }, recommendation });
  keep();
}

export function remove(place) {
  visit.history.splice(place, 1);
  keep();
}

/** Words that were said are kept by the server; it forgets them with the session. */
export function setWords(profile, say) {
  const cleared = (visit.profile && !profile) || (visit.say && !say);
  Object.assign(visit, { profile, say });
  if (cleared) forget();
  keep();
}

export function startOver() {
  forget();
  visit.history = [];
  keep();
}

function forget() {
  if (visit.session) call("DELETE", `sessions/${encodeURIComponent(visit.session)}`).catch(() => {});
  visit.session = null;
}

/** The question, as the server takes it, with what was done by the `signals` that its policy reads. */
export function question(k, policy, signals) {
  const read = (entry) => Object.fromEntries(Object.entries(entry.signals).filter(([name]) => signals.includes(name)));
  const asked = { k, why: true, history: visit.history.map((entry) => [entry.id, read(entry)]) };
  if (visit.session) asked.session = visit.session;
  if (visit.profile) asked.profile = visit.profile;
  if (visit.say) asked.say = visit.say;
  if (policy) asked.policy = policy;
  return asked;
}
