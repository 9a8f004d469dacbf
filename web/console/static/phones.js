// Telephones of the simulator's people beside the page: a page of the simulator, in a frame, so it reaches nothing here.

import { button, el } from "./elements.js";
import { language, say } from "./words.js";

const KEY = "chat4all.phones", NARROW = "(max-width: 46rem)", ROOM = "(min-width: 75rem)"; // from there on they are shown at first

export class Phones {
  element = el("aside", { class: "phones", hidden: true, "aria-label": say("phones") });
  #url = document.querySelector('meta[name="simulator"]')?.content ?? "";
  #button = null;
  #isShown = false;

  constructor() {
    if (!this.#url) return;
    addEventListener("message", (event) => {
      if (event.origin !== new URL(this.#url).origin || typeof event.data?.writeTo !== "string") return;
      if (matchMedia(NARROW).matches) this.hide(); // they cover the form there
      location.hash = `#/new/${encodeURIComponent(event.data.writeTo)}`;
    });
    const kept = localStorage.getItem(KEY);
    this.#isShown = kept ? kept === "yes" : matchMedia(ROOM).matches;
  }

  get url() { return this.#url; }

  /** Return the button that shows or hides them, or nothing without a simulator. */
  switch() {
    if (!this.#url) return null;
    this.element.setAttribute("aria-label", say("phones"));
    this.#button = button(say("phones"), () => this.#keep(this.element.hidden), { class: "quiet" });
    this.#show(this.#isShown && !matchMedia(NARROW).matches);
    return this.#button;
  }

  hide() { this.#show(false); }

  #keep(isShown) {
    this.#isShown = isShown;
    localStorage.setItem(KEY, isShown ? "yes" : "no");
    this.#show(isShown);
  }

  #show(isShown) {
    this.element.hidden = !isShown;
    this.#button?.setAttribute("aria-pressed", String(isShown));
    const src = `${this.#url}/?beside&lang=${language}`;
    if (!isShown) this.element.replaceChildren();
    else if (this.element.firstChild?.src !== src) this.element.replaceChildren(el("iframe", { src, title: say("phones") }));
  }
}
