// A live plot: lines over the last minutes, drawn as SVG.

import { el } from "./elements.js";

const WIDTH = 300, HEIGHT = 80, SPAN_SECONDS = 300, MOST_LINES = 8;
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export class Plot {
  #title;
  #unit;
  #lines = new Map(); // name → [[seconds, value], …]
  #picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  #legend = el("ul", { class: "legend" });
  #most = el("span", { class: "soft" });

  /** `unit` follows each number, such as " ms". */
  constructor(title, unit = "") {
    this.#title = title;
    this.#unit = unit;
    this.element = el("figure", { class: "plot" }, el("figcaption", {}, title, this.#most), this.#picture, this.#legend);
  }

  /** Add the values of a moment (epoch seconds): {name: value}. A moment that is told again is corrected. */
  add(at, values) {
    for (const [name, value] of Object.entries(values)) {
      if (!this.#lines.has(name) && this.#lines.size >= MOST_LINES) continue;
      const points = this.#lines.get(name) ?? this.#lines.set(name, []).get(name);
      if (points.at(-1)?.[0] === at) points.pop();
      points.push([at, value]);
    }
  }

  /** Draw up to `now` (epoch seconds). */
  draw(now) {
    const since = now - SPAN_SECONDS;
    let most = 1;
    for (const points of this.#lines.values()) {
      while (points.length && points[0][0] < since) points.shift();
      for (const [, value] of points) most = Math.max(most, value);
    }
    const x = (at) => (((at - since) / SPAN_SECONDS) * WIDTH).toFixed(1), y = (value) => (HEIGHT - 2 - (value / most) * (HEIGHT - 6)).toFixed(1);
    this.#picture.replaceChildren(...[...this.#lines.values()].map((points, n) =>
      svg("polyline", { class: `line${n}`, points: points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ") })));
    const latest = [...this.#lines].map(([name, points]) => `${name} ${round(points.at(-1)?.[1] ?? 0)}${this.#unit}`);
    this.#legend.replaceChildren(...latest.map((words, n) => el("li", { class: `line${n}` }, words)));
    this.#most.textContent = ` ↑ ${round(most)}${this.#unit}`;
    this.#picture.setAttribute("aria-label", `${this.#title}: ${latest.join(", ")}`);
  }
}

function round(value) { return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 10) / 10); }
