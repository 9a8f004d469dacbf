// What the page knows: conversations, their messages, and what frames change. It draws nothing.

import { isFolded, react } from "./reactions.js";
import { Seen } from "./seen.js";

const PAGE = 100, MOST_CONVERSATIONS = 2_000, LAST_AT_ONCE = 4, MOST_UNREAD = 50;
// messages that are kept of a conversation: of the one that is looked at, and of each other one
const RELOAD_MS = 1_500;
const MOST_OPEN = 10_000, MOST_KEPT = 300;

export class Model extends EventTarget {
  #api;
  #seen;
  #wanted = [];
  #asking = 0;
  conversations = new Map(); // id → {id, document, messages, byId, next, isCut, isLoaded, last, unread}
  isConnected = false;
  openId = null; // of the conversation that is looked at

  constructor(api) {
    super();
    this.#api = api;
    this.#seen = new Seen(api.me);
  }

  /** The conversations, the one with the newest message first. */
  get sorted() {
    const newest = (one) => one.last?.timestamp ?? (Date.parse(one.document.last_message_at ?? one.document.created_at) || 0);
    return [...this.conversations.values()].map((one) => [newest(one), one]).sort((a, b) => b[0] - a[0]).map(([, one]) => one);
  }

  get unread() {
    let sum = 0;
    for (const one of this.conversations.values()) sum += one.unread;
    return sum;
  }

  /** Read the first page of conversations; the rest follows in the background. */
  async load() {
    const next = await this.#loadPage(null);
    this.#loadRest(next).catch(() => {}); // the first page and what frames bring are there
  }

  async #loadRest(cursor) {
    while (cursor && this.conversations.size < MOST_CONVERSATIONS) cursor = await this.#loadPage(cursor);
  }

  async #loadPage(cursor) {
    const { conversations, pagination } = await this.#api.get("v1/conversations", { limit: 100, cursor });
    for (const document of conversations) this.#known(document);
    this.#changed("list");
    return pagination.next_cursor;
  }

  /** Read the last message of a conversation and count what is unread, if neither is known. Called for what is in sight. */
  wantLast(one) {
    if (one.last || one.isAsked) return;
    one.isAsked = true;
    this.#wanted.push(one);
    while (this.#asking < LAST_AT_ONCE && this.#asking < this.#wanted.length) this.#askForLast();
  }

  async #askForLast() {
    this.#asking += 1;
    for (let one = this.#wanted.shift(); one; one = this.#wanted.shift()) {
      const path = `v1/conversations/${encodeURIComponent(one.id)}/messages`;
      let answer = await this.#api.get(path, { order: "desc", limit: 1 }).catch(() => null);
      if (answer && this.#isUnread(one, answer.messages[0])) answer = await this.#api.get(path, { order: "desc", limit: MOST_UNREAD }).catch(() => answer);
      if (!answer) one.isAsked = false;
      if (!answer || one.last) continue;
      one.last = answer.messages[0];
      const read = answer.messages.findIndex((message) => !this.#isUnread(one, message));
      one.unread = one.id === this.openId ? 0 : read === -1 ? answer.messages.length : read;
      this.#changed("list");
    }
    this.#asking -= 1;
  }

  #isUnread(one, message) {
    if (!message || message.sender_id === this.#api.me) return false;
    const until = this.#seen.until(one.id);
    return until === null ? message.status !== "READ" : message.timestamp > until;
  }

  /** Read a conversation's newest messages, or one page of older ones. */
  async loadMessages(id, older = false) {
    const one = await this.#conversation(id);
    if (older ? !one.next && !one.isCut : one.isLoaded) return;
    // without the cursor of a page that was let go, its place follows from the number of messages after it
    const place = !older ? {} : one.next ? { cursor: one.next } : { offset: one.messages.length };
    const { messages, pagination } = await this.#api.get(`v1/conversations/${encodeURIComponent(id)}/messages`, { order: "desc", limit: PAGE, ...place });
    const fresh = messages.filter((message) => !one.byId.has(message.message_id) && !isFolded(message, messages, one)).reverse();
    for (const message of fresh) one.byId.set(message.message_id, message);
    // a reaction may have come before the message that it belongs to
    one.messages = one.messages.filter((message) => !isFolded(message, fresh, one));
    one.messages = older ? [...fresh, ...one.messages] : [...fresh, ...one.messages].sort((a, b) => a.timestamp - b.timestamp);
    one.next = pagination.next_cursor;
    one.isCut = false;
    one.isLoaded = true;
    one.last = one.messages.at(-1) ?? one.last;
    this.#changed("messages", id);
  }

  /** Read the conversation's document again. */
  async reload(id) {
    const one = await this.#conversation(id);
    this.#known(await this.#api.get(`v1/conversations/${encodeURIComponent(id)}`));
    this.#changed("document", id);
    this.#changed("list");
  }

  /** A conversation with `party` begins here: it has its title at once, and is read again until it is mirrored. */
  begin(id, party) {
    const one = this.conversations.get(id) ?? this.#known(this.#unmirrored(id, []));
    if (!one.document.isUnmirrored) return;
    if (peopleIn(one.document) < 2) one.document.participant_details.push(party); // the frame of one's own message names nobody else
    this.#readSoon(one);
    this.#changed("list");
  }

  /** Take a message that was just accepted by the server, before its frame comes. */
  async sent(id, message) {
    this.#add(await this.#conversation(id), message);
  }

  /** The user has seen the conversation to its end. */
  seen(id) {
    const one = this.conversations.get(id);
    if (!one?.last) return;
    this.#seen.note(id, one.last.timestamp);
    if (!one.unread) return;
    one.unread = 0;
    this.#changed("list");
  }

  async take(frame) {
    const isConnected = frame.type !== "disconnected";
    if (isConnected !== this.isConnected) {
      this.isConnected = isConnected;
      this.#changed("connection");
    }
    if (frame.type === "new_message") await this.#newMessage(frame);
    if (frame.type === "status") this.#status(frame);
    if (frame.type === "resync_required") await this.#resync();
  }

  async #newMessage(frame) {
    const one = this.conversations.get(frame.conversation_id) ?? this.#begun(frame);
    const target = frame.kind === "reaction" ? one.byId.get(frame.reaction?.message_id) : null;
    if (target) {
      react(target, frame);
      this.#changed("status", one.id, target);
      return;
    }
    const isNew = this.#add(one, { status: "ACCEPTED", recipient: null, ...frame });
    if (isNew && frame.sender?.address) this.#heardFrom(one, frame.sender);
    if (isNew && frame.sender_id !== this.#api.me) {
      one.unread += 1;
      this.#changed("list");
    }
  }

  /** Somebody began a conversation: it is shown from the frame, and read once it is mirrored. */
  #begun(frame) {
    const { sender } = frame, others = !sender || sender.user_id === this.#api.me ? [] : [sender];
    const one = this.#known(this.#unmirrored(frame.conversation_id, others));
    this.#readSoon(one);
    return one;
  }

  #unmirrored(id, others) {
    const me = { user_id: this.#api.me, username: this.#api.username };
    return { conversation_id: id, name: null, participant_details: [me, ...others], isUnmirrored: true };
  }

  #readSoon(one, tries = 5, pause = RELOAD_MS) {
    if (one.isReloading) return;
    one.isReloading = true;
    setTimeout(() => {
      one.isReloading = false;
      this.reload(one.id).then(() => !one.document.isUnmirrored, () => false).then((isDone) => isDone || (tries > 1 && this.#readSoon(one, tries - 1, 2 * pause)));
    }, pause);
  }

  /** A person wrote: their name is known at once, and their reply window once it is mirrored. */
  #heardFrom(one, { address, name }) {
    const party = one.document.participant_details?.find((each) => each.address === address);
    if (party && name) party.name = name;
    if (one.id === this.openId) this.#readSoon(one);
  }

  #status(frame) {
    const one = this.conversations.get(frame.conversation_id);
    const message = one?.byId.get(frame.message_id) ?? (one?.last?.message_id === frame.message_id ? one.last : null);
    if (!message) return;
    message.status = frame.status;
    message.failure = frame.failure ?? null;
    if (frame.counts) message.counts = frame.counts;
    this.#changed("status", frame.conversation_id, message);
  }

  async #resync() {
    for (const one of this.conversations.values()) Object.assign(one, { messages: [], byId: new Map(), isLoaded: false, isAsked: false, isCut: false, next: null, last: null });
    await this.load();
    this.#changed("resync");
  }

  async #conversation(id) {
    const known = this.conversations.get(id);
    if (known) return known;
    return this.#known(await this.#api.get(`v1/conversations/${encodeURIComponent(id)}`));
  }

  #known(document) {
    const id = document.conversation_id, known = this.conversations.get(id);
    // an answer from before the mirror names fewer people than the page knows
    const isEarly = known?.document.isUnmirrored && peopleIn(document) < peopleIn(known.document);
    if (known && !isEarly) known.document = document;
    if (known) return known;
    this.conversations.set(id, { id, document, messages: [], byId: new Map(), next: null, isCut: false, isLoaded: false, last: null, unread: 0 });
    return this.conversations.get(id);
  }

  #add(one, message) {
    const known = one.byId.get(message.message_id);
    if (known) {
      for (const [key, value] of Object.entries(message)) if (known[key] === undefined || known[key] === null) known[key] = value;
      return false;
    }
    one.byId.set(message.message_id, message);
    one.messages.push(message);
    one.last = message;
    this.#cut(one);
    this.#changed("messages", one.id, message);
    return true;
  }

  /** Let go of the oldest messages, so that a page that stays open does not grow. */
  #cut(one) {
    const most = one.id === this.openId ? MOST_OPEN : MOST_KEPT;
    if (one.messages.length <= most * 1.2) return;
    for (const message of one.messages.splice(0, one.messages.length - most)) one.byId.delete(message.message_id);
    Object.assign(one, { isCut: one.isLoaded, next: null });
  }

  #changed(what, id = null, message = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: { what, id, message } }));
  }
}

const peopleIn = (document) => document.participant_details?.length ?? 0;
