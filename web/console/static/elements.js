// Builds elements. Text always becomes a text node, so nothing that a person wrote is ever read as markup.

/** Return an element: `el("p", {class: "soft", onclick: f}, "text", child)`. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return a button with a text, or with an icon and the text as its label. */
export function button(text, onclick, properties = {}) {
  return el("button", { type: "button", onclick, ...properties }, text);
}

/** Disable a button while what it began is under way, and show that it is. */
export function setBusy(button, isBusy) {
  button.disabled = isBusy;
  button.setAttribute("aria-busy", String(isBusy));
}

/** Return a two-letter badge for a name, in one of eight colours that depend on `seed` alone. */
export function badge(name, seed) {
  let sum = 0;
  for (const character of seed) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  const letters = [...name.replace(/[^\p{L}\p{N}]/gu, "")].slice(0, 2).join("").toUpperCase() || "·";
  return el("span", { class: `badge hue${sum % 8}`, "aria-hidden": "true" }, letters);
}
