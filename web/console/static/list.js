// The list of conversations: the newest first, live, searchable by name, moved through with the arrow keys.

import { badge, el } from "./elements.js";
import { ticks } from "./message.js";
import { nameOf, titleOf } from "./people.js";
import { VirtualList } from "./virtual.js";
import { say, timeOf } from "./words.js";

const IS_DEMONSTRATION = Boolean(document.querySelector('meta[name="simulator"]')?.content);

export class ConversationList {
  #model;
  #api;
  #chosen = null;
  #search = el("input", { type: "search", placeholder: say("searchShort"), "aria-label": say("search"), autocomplete: "off" });
  #items = el("nav", { class: "conversations", "aria-label": say("conversations"), tabindex: "-1" });
  #found = el("p", { class: "empty", role: "status", hidden: true });
  #rows = new VirtualList(this.#items, (row) => this.#item(row), { estimate: 60 });
  #isWaiting = false;

  constructor(model, api) {
    this.#model = model;
    this.#api = api;
    this.element = el("aside", { class: "list", "aria-label": say("conversations") },
      el("h1", { class: "unseen" }, say("conversations")), el("div", { class: "tools" }, this.#search, el("a", { class: "primary", href: "#/new" }, say("newConversation"))), this.#found, this.#items);
    this.#search.addEventListener("input", () => this.#later());
    this.#search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.#step(event, 1);
      if (event.key === "Enter") this.#items.querySelector("a")?.click();
    });
    this.#items.addEventListener("keydown", (event) => this.#step(event, { ArrowDown: 1, ArrowUp: -1 }[event.key]));
    model.addEventListener("change", () => this.#later());
  }

  close() { this.#rows.close(); }

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
    const words = this.#search.value.trim().toLowerCase(), me = this.#api.me;
    const all = this.#model.sorted.map((one) => ({ key: one.id, one, title: titleOf(one.document, me) }));
    const found = words ? all.filter(({ one, title }) => isFound(one, title, words)) : all;
    this.#found.hidden = found.length > 0;
    this.#found.textContent = found.length ? "" : say(all.length ? "notFound" : IS_DEMONSTRATION ? "noneYet" : "none");
    this.#rows.setRows(found);
    this.#rows.redrawAll();
    document.title = this.#model.unread ? `(${this.#model.unread}) Chat4All` : "Chat4All";
  }

  #item({ one, title }) {
    this.#model.wantLast(one);
    const { last } = one, mine = last?.sender_id === this.#api.me;
    const unread = one.unread ? `, ${one.unread} ${say("unread")}` : "";
    return el("div", { class: "item" },
      el("a", { href: `#/c/${encodeURIComponent(one.id)}`, "aria-current": one.id === this.#chosen ? "page" : null, tabindex: "0" },
        badge(title.replace(/^\w+:/, ""), one.id),
        el("span", { class: "title" }, title),
        el("time", { class: "soft" }, last ? timeOf(last.timestamp) : ""),
        el("span", { class: "last soft" }, mine ? ticks(last) : null, summaryOf(last)),
        one.unread ? el("span", { class: "unread", role: "img", "aria-label": unread.slice(2) }, one.unread > 99 ? "99+" : String(one.unread)) : null));
  }

  #step(event, step) {
    if (!step) return;
    const links = [...this.#items.querySelectorAll("a")];
    links[links.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }
}

function isFound(one, title, words) {
  if (title.toLowerCase().includes(words)) return true;
  return (one.document.participant_details ?? []).some((party) => `${nameOf(party)} ${party.address ?? ""}`.toLowerCase().includes(words));
}

function summaryOf(last) {
  if (!last) return "";
  if (last.kind === "reaction" && last.reaction) return `${last.reaction.emoji || "–"} ${say("reaction")}`;
  return last.content || last.file_metadata?.filename || last.location?.name || say(last.kind ?? "");
}
