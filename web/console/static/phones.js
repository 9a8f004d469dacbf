// Telephones of the simulator's people beside the page: a page of the simulator, in a frame, so it reaches nothing here.

import { button, el } from "./elements.js";
import { say } from "./words.js";

const KEY = "chat4all.phones";

export class Phones {
  element = el("aside", { class: "phones", hidden: true, "aria-label": say("phones") });
  #url = document.querySelector('meta[name="simulator"]')?.content ?? "";
  #button = null;

  constructor() {
    if (!this.#url) return;
    addEventListener("message", (event) => {
      if (event.origin !== new URL(this.#url).origin || typeof event.data?.writeTo !== "string") return;
      location.hash = `#/new/${encodeURIComponent(event.data.writeTo)}`;
    });
    if (localStorage.getItem(KEY) === "yes") this.#show(true);
  }

  get url() { return this.#url; }

  /** Return the button that shows or hides them, or nothing without a simulator. */
  switch() {
    if (!this.#url) return null;
    this.element.setAttribute("aria-label", say("phones"));
    this.#button = button(say("phones"), () => this.#show(this.element.hidden), { class: "quiet", "aria-pressed": String(!this.element.hidden) });
    return this.#button;
  }

  #show(isShown) {
    this.element.hidden = !isShown;
    this.#button?.setAttribute("aria-pressed", String(isShown));
    localStorage.setItem(KEY, isShown ? "yes" : "no");
    if (isShown) this.element.replaceChildren(el("iframe", { src: `${this.#url}/?beside`, title: say("phones") }));
    else this.element.replaceChildren();
  }
}
