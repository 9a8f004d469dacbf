// The list of conversations: the newest first, live, searchable by name, moved through with the arrow keys.

import { badge, el } from "./elements.js";
import { ticks } from "./message.js";
import { titleOf } from "./model.js";
import { say, timeOf } from "./words.js";

export class ConversationList {
  #model;
  #api;
  #chosen = null;
  #search = el("input", { type: "search", placeholder: say("search"), "aria-label": say("search"), autocomplete: "off" });
  #items = el("ul", { class: "conversations" });
  #isWaiting = false;

  constructor(model, api) {
    this.#model = model;
    this.#api = api;
    this.element = el("aside", { class: "list", "aria-label": say("conversations") },
      el("div", { class: "tools" }, this.#search, el("a", { class: "primary", href: "#/new" }, say("newConversation"))), this.#items);
    this.#search.addEventListener("input", () => this.#later());
    this.#items.addEventListener("keydown", (event) => this.#move(event));
    model.addEventListener("change", () => this.#later());
  }

  choose(id) {
    this.#chosen = id;
    this.#later();
  }

  focusSearch() { this.#search.focus(); }

  #later() { // one drawing for all changes of a frame
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      this.#draw();
    });
  }

  #draw() {
    const words = this.#search.value.trim().toLowerCase();
    const focused = document.activeElement?.closest?.("li")?.dataset.id;
    const all = this.#model.sorted.map((one) => ({ one, title: titleOf(one.document, this.#api.me) }));
    const found = all.filter(({ title }) => title.toLowerCase().includes(words));
    this.#items.replaceChildren(...found.map(({ one, title }) => this.#item(one, title)));
    if (!all.length) this.#items.replaceChildren(el("li", { class: "empty" }, say("none")));
    if (focused) this.#items.querySelector(`li[data-id="${CSS.escape(focused)}"] a`)?.focus();
  }

  #item(one, title) {
    const { last } = one, mine = last?.sender_id === this.#api.me;
    const item = el("li", { "data-id": one.id },
      el("a", { href: `#/c/${encodeURIComponent(one.id)}`, "aria-current": one.id === this.#chosen ? "page" : null },
        badge(title.replace(/^\w+:/, ""), one.id),
        el("span", { class: "title" }, title),
        el("time", { class: "soft" }, last ? timeOf(last.timestamp) : ""),
        el("span", { class: "last soft" }, mine ? ticks(last) : null, summaryOf(last)),
        one.unread ? el("span", { class: "unread" }, String(one.unread)) : null));
    return item;
  }

  #move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const links = [...this.#items.querySelectorAll("a")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }
}

function summaryOf(last) {
  if (!last) return "";
  return last.content || last.file_metadata?.filename || say(last.kind ?? "");
}
