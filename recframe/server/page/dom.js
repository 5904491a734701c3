// Elements, made without HTML: texts of the catalogue are texts, whatever is in them.

/** An element with attributes, listeners (onclick: ...) and children; strings become text nodes, null is left out. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const by = (id) => document.getElementById(id);

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const MINUS = "\u2212";

/** A number with few digits and a true minus sign. */
export function short(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(digits)));
  return text.replace("-", MINUS);
}

/** A number with its sign, to the digits in which numbers up to `most` differ. */
export function signed(value, most) {
  const digits = most > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(most)), 0), 6) : 2;
  return (value > 0 ? "+" : "") + value.toFixed(digits).replace("-", MINUS);
}

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
