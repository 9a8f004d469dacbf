// A conversation: its messages, what is being written, and the life of one message or the members beside them.

import { composer } from "./compose.js";
import { button, el } from "./elements.js";
import { lifePanel } from "./life.js";
import { membersPanel } from "./members.js";
import { bubble } from "./message.js";
import { channelsOf, nameOf, othersOf, titleOf, whereOf } from "./people.js";
import { VirtualList } from "./virtual.js";
import { windowNotice } from "./window.js";
import { dayOf, midnightOf, say } from "./words.js";

const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"], MOST_PAGES_TO_A_MESSAGE = 120, MARKED_AT_ONCE = 20;
const FIRST_PAUSE_MS = 1_000, LONGEST_PAUSE_MS = 8_000;

export class ThreadView {
  #model;
  #api;
  #id;
  #log = el("div", { class: "log", role: "feed", "aria-label": say("messages"), tabindex: "0" });
  #heard = el("div", { class: "unseen", role: "log", "aria-live": "polite", "aria-label": say("live") });
  #head = el("header", { class: "head" });
  #windows = el("div", { class: "windows" });
  #side = el("div", { class: "side" });
  #rows = new VirtualList(this.#log, (row) => this.#drawn(row), { startsAtEnd: true, onNearTop: () => this.#loadOlder() });
  #toEnd = button("↓", () => this.#rows.showEnd(), { class: "to-end", "aria-label": say("toEnd"), title: say("toEnd"), hidden: true });
  #actions = this.#makeActions();
  #compose = null;
  #notice = null;
  #wanted;
  #isWaiting = false;
  #isLoading = false;
  #isClosed = false;
  #listener = ({ detail }) => this.#changed(detail);

  constructor(model, api, id, messageId) {
    Object.assign(this, { element: el("section", { class: "thread", "aria-busy": "true" }, el("p", { class: "empty slow" }, say("loading"))) });
    this.#model = model;
    this.#api = api;
    this.#id = model.openId = id;
    this.#wanted = messageId;
    model.addEventListener("change", this.#listener);
    this.#log.addEventListener("scroll", () => (this.#toEnd.hidden = this.#rows.isAtEnd), { passive: true });
    this.#log.addEventListener("keydown", (event) => this.#step(event));
    this.#open();
  }

  close() {
    this.#isClosed = true;
    this.#model.removeEventListener("change", this.#listener);
    this.#model.openId = null;
    this.#compose?.close();
    this.#notice?.close();
    this.#rows.close();
  }

  /** Show the conversation; what passes by itself, such as a silent server, is tried again after `pause`, a few times. */
  async #open(pause = FIRST_PAUSE_MS) {
    if (this.#isClosed) return;
    try {
      await this.#model.loadMessages(this.#id);
    } catch (error) {
      const words = error.status === 0 ? say("unreachable") : error.status === 404 ? say("noConversation") : error.message;
      const mayPass = error.status === 0 || error.status === 429 || error.status >= 500 || this.#conversation?.document.isUnmirrored;
      if (mayPass && pause <= LONGEST_PAUSE_MS) setTimeout(() => this.#open(2 * pause), pause);
      return this.element.replaceChildren(el("div", { class: "empty" }, el("p", { class: "fault", role: "alert" }, words), button(say("retry"), () => this.#open())));
    }
    this.#compose ??= composer(this.#model, this.#api, this.#id, channelsOf(this.#conversation.document));
    this.element.replaceChildren(this.#head, this.#windows, el("div", { class: "scroll" }, this.#log, this.#toEnd), this.#compose.element, this.#side, this.#heard);
    this.#drawHead();
    this.#draw();
    this.element.removeAttribute("aria-busy");
    this.#seen();
    if (this.#wanted) await this.#show(this.#wanted);
  }

  #drawHead() {
    const { document } = this.#conversation, me = this.#api.me;
    const people = (document.participant_details ?? []).map((party) => (party.user_id === me ? say("you") : whereOf(party))).join(", ");
    this.#head.replaceChildren(el("a", { href: "#/", class: "back", "aria-label": say("conversations") }, "‹"),
      el("div", { class: "who" }, el("h1", {}, titleOf(document, me)), el("p", { class: "soft" }, people)),
      button(say("members"), () => this.#members(), { class: "quiet" }));
    this.#notice?.close();
    this.#notice = windowNotice(othersOf(document, me));
    this.#windows.replaceChildren(...(this.#notice ? [this.#notice.element] : []));
  }

  get #conversation() { return this.#model.conversations.get(this.#id); }

  #changed({ what, id, message }) {
    if (what === "resync") return void this.#open(); // its messages are read anew
    if (id !== this.#id || !this.element.contains(this.#log)) return;
    if (what === "document") return this.#drawHead();
    if (what === "status") {
      this.#rows.redraw(message.message_id);
      return;
    }
    if (message && message.sender_id !== this.#api.me) this.#tell(message);
    if (this.#isWaiting) return; // one drawing for all messages of a frame
    this.#isWaiting = true;
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      this.#draw();
      this.#seen();
    });
  }

  /** Let a screen reader say a new message. */
  #tell(message) {
    this.#heard.append(el("p", {}, `${nameOf(message.sender)}: ${message.content || say(message.kind ?? "")}`));
    while (this.#heard.children.length > 5) this.#heard.firstChild.remove();
  }

  #draw() {
    const { messages, next, isCut } = this.#conversation;
    const rows = next || isCut ? [{ key: "older", isLoose: true }] : [];
    let day = 0;
    for (const message of messages) {
      const its = midnightOf(message.timestamp);
      if (its !== day) rows.push({ key: `day ${(day = its)}`, day });
      rows.push({ key: message.message_id, message });
    }
    this.#rows.setRows(rows);
    if (this.#log.scrollTop < 2 * this.#log.clientHeight) this.#loadOlder(); // at the top no wheel scrolls, so nothing else would
  }

  #drawn({ message, day }) {
    if (day) return el("div", { class: "row day soft" }, dayOf(day));
    if (!message) return el("div", { class: "row day soft" }, say("older"));
    return el("div", { class: "row" }, bubble(message, this.#api.me, this.#actions));
  }

  #makeActions() {
    return {
      reply: (message) => this.#compose.replyTo(message),
      again: (message) => this.#compose.fill(message.content),
      react: (message) => this.#react(message),
      life: (message) => this.#life(message),
      link: (message) => this.#copyLink(message),
      find: (id) => this.#conversation.byId.get(id),
      show: (id) => this.#show(id),
      linkOf: (message) => this.#api.get(`v1/files/${message.file_id}/download`),
    };
  }

  #react(message) {
    const close = () => panel.remove();
    const send = async (emoji) => {
      close();
      const body = { conversation_id: this.#id, reaction: { message_id: message.message_id, emoji } };
      await this.#api.post("v1/messages", body).catch((error) => this.#compose.tell(error.message));
    };
    const panel = el("div", { class: "emoji", role: "dialog", "aria-label": say("react") },
      ...EMOJI.map((one) => button(one, () => send(one))), button("–", () => send(""), { title: say("remove"), "aria-label": say("remove") }));
    panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
    panel.addEventListener("focusout", (event) => panel.contains(event.relatedTarget) || close());
    this.#bubble(message.message_id)?.append(panel);
    panel.querySelector("button").focus();
  }

  #bubble(id) { return this.#log.querySelector(`#m-${CSS.escape(id)}`); }

  #life(message) { this.#beside(lifePanel(this.#api, message, () => this.#closeSide(message))); }

  #members() { this.#beside(membersPanel(this.#model, this.#api, this.#conversation, () => this.#closeSide())); }

  #beside(panel) {
    this.#side.replaceChildren(panel);
    this.#side.querySelector("button")?.focus();
  }

  #closeSide(message) {
    this.#side.replaceChildren();
    this.#bubble(message?.message_id ?? "")?.focus();
  }

  #copyLink(message) {
    const hash = `#/c/${encodeURIComponent(this.#id)}/m/${message.message_id}`;
    history.replaceState(null, "", hash);
    const copied = navigator.clipboard?.writeText(location.href) ?? Promise.reject();
    copied.then(() => this.#compose.tell(say("linkCopied"), false), () => this.#compose.tell(say("linkInBar"), false));
  }

  /** Bring a message into sight; earlier pages are read until it is there. */
  async #show(id) {
    for (let pages = 0; !this.#conversation.byId.has(id) && pages < MOST_PAGES_TO_A_MESSAGE; pages += 1) {
      if (!this.#conversation.next && !this.#conversation.isCut) break;
      await this.#model.loadMessages(this.#id, true);
    }
    if (!this.#conversation.byId.has(id)) return this.#compose.tell(say("noMessage"));
    this.#draw();
    const row = this.#rows.show(id)?.firstChild;
    row?.focus({ preventScroll: true });
    row?.classList.add("wanted");
  }

  async #loadOlder() {
    const { next, isCut } = this.#conversation ?? {};
    if (this.#isLoading || (!next && !isCut)) return;
    this.#isLoading = true;
    await this.#model.loadMessages(this.#id, true).catch(() => {}).finally(() => (this.#isLoading = false));
  }

  /** Move between messages by the arrow keys. */
  #step(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = [...this.#log.querySelectorAll("article")], n = all.indexOf(document.activeElement);
    if (!step || (n < 0 && document.activeElement !== this.#log)) return;
    const next = n < 0 ? all.at(-1) : all[n + step];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
    event.preventDefault();
  }

  /** Note that the newest messages were seen, and tell the server that they were read. */
  #seen() {
    if (document.visibilityState !== "visible") return;
    this.#model.seen(this.#id);
    const unread = this.#conversation.messages.slice(-MARKED_AT_ONCE).filter((one) => one.sender_id !== this.#api.me && !one.wasMarked && one.status !== "READ");
    for (const message of unread) {
      message.wasMarked = true;
      this.#api.post(`v1/messages/${message.message_id}/read`).catch(() => {});
    }
  }
}
