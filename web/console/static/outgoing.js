// The messages of one conversation that are on their way: shown with a clock, in their order, kept over a reload.

import { button, el } from "./elements.js";
import { keep, kept } from "./kept.js";
import { say } from "./words.js";

const known = new Map(); // of this page: they go on while their conversation is closed

addEventListener("online", () => { for (const one of known.values()) one.host?.flush(true); });

/** Return a new idempotency key. */
export function newKey() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}

/** Return the outgoing messages of the user of `api` in a conversation. */
export function outgoingOf(api, conversationId) {
  const name = `chat4all.outgoing.${api.me}.${conversationId}`;
  if (!known.has(name)) known.set(name, new Outgoing(name, api));
  return known.get(name);
}

/** Forget them all: their user signs out, and nobody else may see or send them. */
export function forgetOutgoing() {
  for (const one of known.values()) one.close();
  known.clear();
}

/**
 * A message is {content, reply, attached, key}. The key is the same for each try, also after a reload: an earlier try may
 * have reached the server without an answer. `lostWords`: of messages whose files a reload has taken away.
 */
class Outgoing {
  #name;
  #messages;
  #api;
  #me;
  #isBusy = false;
  #isBack = false;

  constructor(name, api) {
    [this.#name, this.#api, this.#me] = [name, api, api.me];
    const before = [kept(name)].flat().filter((one) => typeof one?.content === "string");
    this.#messages = before.filter(({ key }) => key);
    this.lostWords = before.filter(({ key }) => !key).map(({ content }) => content);
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
   * refusal it is no longer here, and else it waits here with those behind it. The host is the conversation's last page,
   * whose `flush()` comes here. `isBack`: the network is back; a try under way may still fail for want of it, and is
   * then made once more.
   */
  async go(isBack = false) {
    this.#isBack = isBack && this.#isBusy;
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      while (this.#messages.length) {
        const [message] = this.#messages;
        try {
          await this.host.send(message);
        } catch (error) {
          if (!this.#isOurs) return;
          if (this.#isBack && error.status === 0) {
            this.#isBack = false;
            continue;
          }
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

  close() {
    for (const { attached } of this.#messages) attached?.close();
    this.#messages = [];
    this.#me = null; // also for the same user: another one of these takes over
  }

  /** Whether its user is signed in: nobody else may see its messages, nor send them in their own name. */
  get #isOurs() { return this.#api.me === this.#me; }

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
    // a file cannot be kept: only the words are
    const all = this.#messages.map((one) => (one.attached ? { content: one.content } : one)).filter(({ content }) => content);
    if (this.#isOurs) keep(this.#name, all.length ? all : null);
    this.element.replaceChildren(...this.#messages.map((message) =>
      el("li", {}, el("span", { "aria-hidden": "true" }, "◷"), el("span", {}, message.content), message.attached?.element,
        button("×", () => this.#drop(message), { "aria-label": say("remove"), class: "quiet" }))));
    this.element.hidden = this.isEmpty;
  }
}

/** Whether trying again cannot help: the server said no, the user took the file away, or its upload has ended. */
export function isRefusal(error) {
  return error.isFinal || error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 429 || error.message === "cancelled";
}
