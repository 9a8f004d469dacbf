// What the page knows: conversations, their messages, and what frames change. It draws nothing.

const PAGE = 50, LAST_AT_ONCE = 6;

/** Tell how a participant is called: a username, a name, an address, an id. */
export function nameOf(party) {
  if (!party) return "";
  return party.username || party.name || party.address || party.user_id || "";
}

export class Model extends EventTarget {
  #api;
  conversations = new Map(); // id → {id, document, messages, byId, next, isLoaded, last, unread}
  isConnected = false;

  constructor(api) {
    super();
    this.#api = api;
  }

  /** The conversations, the one with the newest message first. */
  get sorted() {
    const newest = (one) => one.last?.timestamp ?? (Date.parse(one.document.last_message_at ?? one.document.created_at) || 0);
    return [...this.conversations.values()].sort((a, b) => newest(b) - newest(a));
  }

  async load() {
    const { conversations } = await this.#api.get("v1/conversations", { limit: 100 });
    for (const document of conversations) this.#known(document);
    this.#changed("list");
    await this.#loadLastMessages(conversations.map((one) => one.conversation_id));
  }

  /** Read a conversation's newest messages, or one page of older ones. */
  async loadMessages(id, older = false) {
    const one = await this.#conversation(id);
    if (older ? !one.next : one.isLoaded) return;
    const parameters = { order: "desc", limit: PAGE, cursor: older ? one.next : undefined };
    const { messages, pagination } = await this.#api.get(`v1/conversations/${encodeURIComponent(id)}/messages`, parameters);
    const fresh = messages.filter((message) => !one.byId.has(message.message_id) && !isFolded(message, messages, one)).reverse();
    for (const message of fresh) one.byId.set(message.message_id, message);
    // a reaction may have come before the message that it belongs to
    one.messages = one.messages.filter((message) => !isFolded(message, fresh, one));
    one.messages = older ? [...fresh, ...one.messages] : [...fresh, ...one.messages].sort((a, b) => a.timestamp - b.timestamp);
    one.next = pagination.next_cursor;
    one.isLoaded = true;
    one.last = one.messages.at(-1) ?? one.last;
    this.#changed("messages", id);
  }

  /** Read the conversation's document again. */
  async reload(id) {
    const one = await this.#conversation(id);
    one.document = await this.#api.get(`v1/conversations/${encodeURIComponent(id)}`);
    this.#changed("messages", id);
  }

  /** Take a message that was just accepted by the server, before its frame comes. */
  async sent(id, message) {
    this.#add(await this.#conversation(id), message);
  }

  seen(id) {
    const one = this.conversations.get(id);
    if (one?.unread) {
      one.unread = 0;
      this.#changed("list");
    }
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
    const one = await this.#conversation(frame.conversation_id);
    const target = frame.kind === "reaction" ? one.byId.get(frame.reaction?.message_id) : null;
    if (target) {
      react(target, frame);
      this.#changed("status", one.id, target);
      return;
    }
    const isNew = this.#add(one, { status: "ACCEPTED", recipient: null, ...frame });
    if (isNew && frame.sender_id !== this.#api.me) {
      one.unread += 1;
      this.#changed("list");
    }
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
    for (const one of this.conversations.values()) Object.assign(one, { messages: [], byId: new Map(), isLoaded: false, next: null, last: null });
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
    if (known) known.document = document;
    else this.conversations.set(id, { id, document, messages: [], byId: new Map(), next: null, isLoaded: false, last: null, unread: 0 });
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
    this.#changed("messages", one.id, message);
    return true;
  }

  async #loadLastMessages(ids) {
    const waiting = [...ids];
    const worker = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        const path = `v1/conversations/${encodeURIComponent(id)}/messages`;
        const answer = await this.#api.get(path, { order: "desc", limit: 1 }).catch(() => null);
        const one = this.conversations.get(id);
        if (answer?.messages.length && !one.last) one.last = answer.messages[0];
      }
    };
    await Promise.all(Array.from({ length: LAST_AT_ONCE }, worker));
    this.#changed("list");
  }

  #changed(what, id = null, message = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: { what, id, message } }));
  }
}

/** Tell whether a message is a reaction to one that is shown: the server has put it into `reactions` there. */
function isFolded(message, page, one) {
  const id = message.kind === "reaction" ? message.reaction?.message_id : null;
  return id !== null && (one.byId.has(id) || page.some((other) => other.message_id === id));
}

/** Put a reaction onto its message: one for each person; an empty emoji takes it back. */
function react(target, { reaction, sender, timestamp }) {
  const by = sender.user_id ?? sender.address;
  const others = (target.reactions ?? []).filter((one) => (one.by?.user_id ?? one.by?.address ?? one.by) !== by);
  target.reactions = reaction.emoji ? [...others, { by: sender, emoji: reaction.emoji, at: timestamp }] : others;
}

/** Return the title of a conversation for this user. */
export function titleOf(document, me) {
  if (document.name) return document.name;
  const others = (document.participant_details ?? []).filter((party) => party.user_id !== me);
  return others.map(nameOf).join(", ") || document.conversation_id;
}

/** Return the channels on which the other participants are reached, such as ["whatsapp"]. */
export function channelsOf(document) {
  const addresses = (document.participant_details ?? []).map((party) => party.address).filter(Boolean);
  return [...new Set(addresses.map((address) => address.split(":")[0]))];
}
