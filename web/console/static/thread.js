// A conversation: its messages, what is being written, and the life of one message beside them.

import { composer, keyFor } from "./compose.js";
import { button, el } from "./elements.js";
import { lifePanel } from "./life.js";
import { bubble } from "./message.js";
import { channelsOf, nameOf, titleOf } from "./model.js";
import { dayOf, say, timeOf } from "./words.js";

const NEAR_END_PX = 120, EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

export class ThreadView {
  #model;
  #api;
  #id;
  #log = el("div", { class: "log", role: "log", "aria-label": say("live"), tabindex: "0" });
  #side = el("div", { class: "side" });
  #older = button(say("older"), () => this.#loadOlder(), { class: "quiet older" });
  #compose = null;
  #wanted;
  #drawn = new Map(); // message id → its element
  #listener = ({ detail }) => this.#changed(detail);

  constructor(model, api, id, messageId) {
    Object.assign(this, { element: el("section", { class: "thread" }) });
    this.#model = model;
    this.#api = api;
    this.#id = id;
    this.#wanted = messageId;
    model.addEventListener("change", this.#listener);
    this.#log.addEventListener("scroll", () => this.#log.scrollTop < NEAR_END_PX && this.#loadOlder());
    this.#open().catch((error) => this.element.replaceChildren(el("p", { class: "fault", role: "alert" }, error.message)));
  }

  close() {
    this.#model.removeEventListener("change", this.#listener);
    this.#compose?.close();
  }

  async #open() {
    await this.#model.loadMessages(this.#id);
    const { document } = this.#conversation;
    this.#compose ??= composer(this.#model, this.#api, this.#id, channelsOf(document));
    const people = (document.participant_details ?? []).map(nameOf).join(", ");
    this.element.replaceChildren(
      el("header", { class: "head" }, el("a", { href: "#/", class: "back", "aria-label": say("conversations") }, "‹"),
        el("div", {}, el("h1", {}, titleOf(document, this.#api.me)), el("p", { class: "soft", title: say("members") }, people))),
      ...windowNotice(document), this.#log, this.#compose.element, this.#side);
    this.#draw();
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#model.seen(this.#id);
    this.#markRead();
    if (this.#wanted) await this.#show(this.#wanted);
  }

  get #conversation() { return this.#model.conversations.get(this.#id); }

  #changed({ what, id, message }) {
    if (what === "resync") {
      this.#drawn.clear(); // its messages are read anew
      return void this.#open();
    }
    if (id !== this.#id || !this.#drawn) return;
    const isAtEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_END_PX;
    if (message && this.#drawn.has(message.message_id)) this.#redraw(message);
    else this.#draw();
    if (isAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
    if (document.visibilityState === "visible") {
      this.#model.seen(this.#id);
      if (message) this.#markRead();
    }
  }

  /** Draw what is not drawn yet; elements of known messages stay as they are. */
  #draw() {
    const { messages, next } = this.#conversation;
    const rows = next ? [this.#older] : [];
    let day = "";
    for (const message of messages) {
      const its = dayOf(message.timestamp);
      if (its !== day) rows.push(el("p", { class: "day soft" }, (day = its)));
      rows.push(this.#drawn.get(message.message_id) ?? this.#row(message));
    }
    this.#log.replaceChildren(...rows);
  }

  #row(message) {
    const row = bubble(message, this.#api.me, this.#actions());
    this.#drawn.set(message.message_id, row);
    return row;
  }

  #redraw(message) {
    const before = this.#drawn.get(message.message_id);
    const hadFocus = before.contains(document.activeElement);
    const now = this.#row(message);
    before.replaceWith(now);
    if (hadFocus) now.focus();
  }

  #actions() {
    return {
      reply: (message) => this.#compose.replyTo(message),
      react: (message) => this.#react(message),
      life: (message) => this.#life(message),
      link: (message) => this.#copyLink(message),
      find: (id) => this.#conversation.byId.get(id),
      show: (id) => this.#show(id),
      download: async (message) => {
        const { download_url } = await this.#api.get(`v1/files/${message.file_id}/download`);
        window.open(download_url, "_blank", "noopener");
      },
      preview: async (message, image) => {
        const { download_url } = await this.#api.get(`v1/files/${message.file_id}/download`).catch(() => ({}));
        if (download_url) image.src = download_url;
      },
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
      ...EMOJI.map((one) => button(one, () => send(one))), button("–", () => send(""), { title: say("remove") }));
    panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
    this.#drawn.get(message.message_id).append(panel);
    panel.querySelector("button").focus();
  }

  async #life(message) {
    const close = () => this.#side.replaceChildren();
    this.#side.replaceChildren(await lifePanel(this.#api, message, close));
    this.#side.querySelector("button")?.focus();
  }

  #copyLink(message) {
    const hash = `#/c/${encodeURIComponent(this.#id)}/m/${message.message_id}`;
    history.replaceState(null, "", hash);
    navigator.clipboard?.writeText(location.href).catch(() => {});
  }

  /** Scroll to a message; read earlier pages until it is there, at most 200 of them. */
  async #show(id) {
    for (let pages = 0; !this.#conversation.byId.has(id) && this.#conversation.next && pages < 200; pages += 1) await this.#loadOlder();
    const row = this.#drawn.get(id);
    row?.scrollIntoView({ block: "center" });
    row?.focus();
  }

  async #loadOlder() {
    if (this.isLoading || !this.#conversation?.next) return;
    this.isLoading = true;
    const height = this.#log.scrollHeight, top = this.#log.scrollTop;
    await this.#model.loadMessages(this.#id, true).finally(() => (this.isLoading = false));
    this.#log.scrollTop = top + this.#log.scrollHeight - height;
  }

  /** Tell the server that the newest messages to this user were read. */
  #markRead() {
    const unread = this.#conversation.messages.slice(-20).filter((one) => one.sender_id !== this.#api.me && !one.wasMarked && one.status !== "READ");
    for (const message of unread) {
      message.wasMarked = true;
      this.#api.post(`v1/messages/${message.message_id}/read`).catch(() => {});
    }
  }
}

function windowNotice(document) {
  const windows = (document.participant_details ?? []).filter((party) => party.window).map((party) => party.window.open_until);
  if (!windows.length) return [];
  const until = windows[0] ? Date.parse(windows[0]) : 0;
  const isOpen = until > Date.now();
  return [el("p", { class: `window ${isOpen ? "" : "closed"}` }, isOpen ? `${say("windowOpen")} ${timeOf(until)}` : say("windowClosed"))];
}

/** Return the view in which a new conversation begins: a recipient and a first message. */
export function newMessageView(model, api) {
  const to = el("input", { id: "to", placeholder: say("toHint"), required: true, autocomplete: "off" });
  const text = el("textarea", { id: "first", rows: 4, required: true });
  const fault = el("p", { class: "fault", role: "alert" });
  const submit = el("button", { type: "submit" }, say("send"));
  const form = el("form", { class: "new" }, el("h1", {}, say("newConversation")),
    el("label", { for: "to" }, say("to")), to, el("label", { for: "first" }, say("write")), text, fault, submit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    const body = { recipient_id: to.value.trim(), content: text.value }, { key, forget } = keyFor("new", body);
    try {
      const { conversation_id } = await api.post("v1/messages", body, { "Idempotency-Key": key });
      forget();
      location.hash = `#/c/${encodeURIComponent(conversation_id)}`;
    } catch (error) {
      fault.textContent = error.status === 0 ? say("unreachable") : error.message;
    } finally {
      submit.disabled = false;
    }
  });
  return form;
}
