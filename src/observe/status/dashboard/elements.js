// Numbers and elements: how figures are written, and how elements are made.

/** 1234567 becomes "1.23M", with the unit "B/s" it becomes "1.23 MB/s", with "req/s" "1.23M req/s". */
function compact(value, unit = "") {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3 + 1e-9)));
  const scaled = value / 1000 ** power;
  const digits = scaled >= 100 || Number.isInteger(scaled) ? 0 : scaled >= 10 ? 1 : 2;
  const prefix = ["", "k", "M", "G", "T"][power];
  return scaled.toFixed(digits) + (unit.startsWith("B") ? ` ${prefix}${unit}` : unit.startsWith("/") ? prefix + unit : `${prefix} ${unit}`.trimEnd());
}

function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toPrecision(2 + (seconds >= .1))} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
}

const count = (number, noun) => `${compact(number)} ${noun}${number === 1 ? "" : "s"}`;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const byId = (id) => document.getElementById(id);
const keyOf = (role) => `${role.role} ${[role.listen].flat()[0]}`;

/** An element. Children that are strings become text nodes: nothing that the server sends is ever read as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Writes a text only if it changed: an unchanged one costs no layout, and a screen reader is not told it again. */
function say(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

const built = {};
/** True when what a part of the page was built from is not what it was; the part is then built anew. */
function changed(part, ...basis) {
  const now = JSON.stringify(basis);
  const differs = built[part] !== now;
  built[part] = now;
  return differs;
}
