// The messages of one conversation that are on their way: shown with a clock, in their order, kept over a reload.

import { button, el } from "./elements.js";
import { say } from "./words.js";

const known = new Map(); // of this page: they go on while their conversation is closed

/** Return a new idempotency key. */
export function newKey() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}

/** Return the outgoing messages of a user's conversation. */
export function outgoingOf(userId, conversationId) {
  const name = `${userId} ${conversationId}`;
  if (!known.has(name)) known.set(name, new Outgoing(`chat4all.outgoing.${conversationId}`));
  return known.get(name);
}

/**
 * A message is {content, reply, attached, key}. The key is the same for each try, also after a reload: an earlier try may
 * have reached the server without an answer.
 */
class Outgoing {
  #name;
  #messages;
  #isBusy = false;

  constructor(name) {
    this.#name = name;
    this.#messages = JSON.parse(sessionStorage.getItem(name) ?? "[]");
    this.element = el("ol", { class: "outgoing", "aria-label": say("onTheWay") });
    this.#draw();
  }

  get isEmpty() { return this.#messages.length === 0; }

  add(message) {
    this.#messages.push({ ...message, key: newKey() });
    this.#draw();
  }

  /**
   * Send them one after the other by `host.send(message)`. If one fails, `host.fell(message, error)` tells so: after a
   * refusal it is no longer here, and else it waits here with those behind it. The host is the conversation's last page.
   */
  async go() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      while (this.#messages.length) {
        const [message] = this.#messages;
        try {
          await this.host.send(message);
        } catch (error) {
          if (isRefusal(error)) this.#remove(message);
          this.host.fell(message, error);
          return;
        }
        this.#remove(message);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** Take back a message that waits. */
  #drop(message) {
    if (this.#isBusy && message === this.#messages[0]) return;
    message.attached?.close();
    this.#remove(message);
  }

  #remove(message) {
    this.#messages = this.#messages.filter((one) => one !== message);
    this.#draw();
  }

  #draw() {
    const kept = this.#messages.filter(({ attached }) => !attached); // a file cannot be kept
    if (kept.length) sessionStorage.setItem(this.#name, JSON.stringify(kept));
    else sessionStorage.removeItem(this.#name);
    this.element.replaceChildren(...this.#messages.map((message) =>
      el("li", {}, el("span", { "aria-hidden": "true" }, "◷"), el("span", {}, message.content), message.attached?.element,
        button("×", () => this.#drop(message), { "aria-label": say("remove"), class: "quiet" }))));
    this.element.hidden = this.isEmpty;
  }
}

/** Whether trying again cannot help: the server said no, or the user took the file away. */
export function isRefusal(error) {
  return error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 429 || error.message === "cancelled";
}
