// Up to which message the user has seen each conversation, in this browser; it is gone after signing out.

const MOST = 500;

export class Seen {
  #name;
  #times;

  constructor(userId) {
    this.#name = `chat4all.seen.${userId}`;
    this.#times = new Map(read(this.#name));
  }

  /** Return the time of the last message that was seen (epoch milliseconds), or null. */
  until(id) { return this.#times.get(id) ?? null; }

  note(id, timestamp) {
    if ((this.until(id) ?? 0) >= timestamp) return;
    this.#times.delete(id);
    this.#times.set(id, timestamp);
    if (this.#times.size > MOST) this.#times.delete(this.#times.keys().next().value);
    localStorage.setItem(this.#name, JSON.stringify([...this.#times]));
  }
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "[]");
  } catch {
    return [];
  }
}
