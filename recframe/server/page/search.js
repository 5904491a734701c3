// The search of the catalogue: a field and a list, by the pattern of a combobox.

import { call } from "./api.js";
import { by, el, plural } from "./dom.js";

const PAGE = 6;
const WAIT = 140;

/** Start the search; `choose` is called with an item, `report` with what goes wrong. Returns what looks again. */
export function startSearch(choose, report) {
  const field = by("search"), list = by("found"), more = by("more");
  let items = [], active = -1, total = 0, running = null, timer = null, entered = false;
  // whether what is listed, or will be, is what was found for the words of the field
  let found = Promise.resolve(false);

  async function look(offset = 0) {
    clearTimeout(timer);
    timer = null;
    running?.abort();
    running = new AbortController();
    try {
      const answer = await call("GET", `items?${new URLSearchParams({ query: field.value, limit: PAGE, offset })}`, undefined, running.signal);
      items = offset ? [...items, ...answer.items] : answer.items;
      total = answer.total;
      if (!offset) active = -1;
      show();
      return true;
    } catch (error) {
      if (error.name !== "AbortError") report(error);
      return false;
    }
  }

  const lookAnew = () => (found = look());

  /** Take what is chosen, or the first item, of those that are found for what the field says now, which may not be listed yet. */
  async function enter() {
    if (entered) return;
    entered = true;
    const there = await (timer === null ? found : lookAnew());
    entered = false;
    if (there && items.length) take(Math.max(active, 0));
  }

  function show() {
    list.replaceChildren(...items.map((item, place) =>
      el("li", { role: "option", id: `found-${place}`, "aria-selected": place === active ? "true" : "false", onclick: () => take(place) },
        el("span", { class: "title" }, item.title), el("span", { class: "plus", "aria-hidden": "true" }, "+"))));
    if (active >= 0) field.setAttribute("aria-activedescendant", `found-${active}`);
    else field.removeAttribute("aria-activedescendant");
    const words = field.value.trim();
    by("found-note").textContent = total ? `${plural(total, "item")}${words ? ` with “${words}”` : " in the catalogue"}` : `Nothing has “${words}” in its title.`;
    more.hidden = items.length >= total;
  }

  function move(step) {
    if (!items.length) return;
    active = (active + step + items.length + (active < 0 && step < 0 ? 1 : 0)) % items.length;
    show();
    by(`found-${active}`).scrollIntoView({ block: "nearest" });
  }

  function take(place) {
    choose(items[place]);
    field.focus();
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(lookAnew, WAIT);
    // more of what was found before
    more.hidden = true;
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      enter();
    } else if (event.key === "Escape" && field.value) {
      field.value = "";
      lookAnew();
    }
  });
  more.addEventListener("click", () => look(items.length));
  lookAnew();
  return lookAnew;
}
