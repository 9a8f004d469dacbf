// Calls the HTTP API of the server that served this page. A refused call throws `Refused` with a sentence about it.

import { refusalOf } from "./reasons.js";
import { LANGUAGE_KEY } from "./words.js";

const KEY = "chat4all.session";

export class Refused extends Error {
  constructor(status, detail, problem = {}) {
    super(detail);
    this.status = status;
    this.problem = problem;
  }
}

export class Api {
  #session = JSON.parse(sessionStorage.getItem(KEY) || "null");
  #refreshing = null;
  onSessionOver = () => {};

  get isSignedIn() { return this.#session !== null; }
  get me() { return this.#session?.user_id; }
  get username() { return this.#session?.username; }
  get token() { return this.#session?.access_token; }

  async signIn(username, password) {
    this.#keep({ ...(await this.#call("POST", "auth/login", { username, password })), username });
  }

  async register(username, password) {
    await this.#call("POST", "users", { username, password });
    await this.signIn(username, password);
  }

  async signOut() {
    const { refresh_token } = this.#session ?? {};
    await this.post("auth/logout", { refresh_token }).catch(() => {});
    this.#keep(null);
  }

  get(path, parameters = {}) { return this.#signed("GET", withQuery(path, parameters)); }
  post(path, body = {}, headers = {}) { return this.#signed("POST", path, body, headers); }
  delete(path) { return this.#signed("DELETE", path); }

  /** Get a new access token. Concurrent calls share one request. */
  refresh() {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refresh() {
    try {
      const { refresh_token } = this.#session;
      this.#keep({ ...this.#session, ...(await this.#call("POST", "auth/refresh", { refresh_token })) });
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 429) {
        this.#keep(null);
        this.onSessionOver();
      }
      throw error;
    }
  }

  #signed(method, path, body, headers = {}) {
    return this.authorized(() => this.#call(method, path, body, { ...headers, Authorization: `Bearer ${this.token}` }));
  }

  /** Make a call; once more with a new access token if the old one is over. */
  async authorized(call) {
    try {
      return await call();
    } catch (error) {
      if (error.status !== 401 || !this.#session) throw error;
      await this.refresh();
      return call();
    }
  }

  async #call(method, path, body, headers = {}) {
    let answer;
    try {
      const json = body === undefined ? {} : { body: JSON.stringify(body) };
      answer = await fetch(path, { method, headers: { "Content-Type": "application/json", ...headers }, ...json });
    } catch {
      throw new Refused(0, "");
    }
    const document = parsed(await answer.text());
    if (!answer.ok) throw new Refused(answer.status, refusalOf(document, answer.statusText), document);
    return document;
  }

  /** Keep the session; without one, nothing of the user stays in this browser. */
  #keep(session) {
    this.#session = session;
    if (session) return sessionStorage.setItem(KEY, JSON.stringify(session));
    for (const storage of [sessionStorage, localStorage]) {
      for (const name of Object.keys(storage)) if (name.startsWith("chat4all.") && name !== LANGUAGE_KEY) storage.removeItem(name);
    }
  }
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return {};
  }
}

function withQuery(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null));
  return query.size ? `${path}?${query}` : path;
}
