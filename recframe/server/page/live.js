// Live numbers of the server, which are asked for while the page is looked at.

import { call } from "./api.js";
import { by, el, short } from "./dom.js";

const EVERY = 2000;

export function startLive() {
  const list = by("live");
  async function look() {
    if (document.hidden) return;
    const told = await call("GET", "metrics.json").catch(() => null);
    list.classList.toggle("stale", !told);
    if (!told) return;
    const clicks = Object.entries(told.clicks_per_recommendation ?? {});
    const entries = [
      ["requests", short(told.requests)],
      ["answers", short(told.recommendations)],
      ["feedback", short(told.feedback)],
      ["p50", time(told.p50_ms)],
      ["p99", time(told.p99_ms)],
      ...clicks.map(([name, value]) => [clicks.length > 1 ? `clicks per answer, ${name}` : "clicks per answer", short(value, 2)]),
    ];
    list.replaceChildren(...entries.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }
  const again = () => look().finally(() => setTimeout(again, EVERY));
  again();
  return look;
}

const time = (value) => (value === null || value === undefined ? "–" : `${short(value, 2)} ms`);
