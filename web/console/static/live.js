// The WebSocket of live notifications: connects again with the last cursor, so no frame is lost.

const FIRST_PAUSE_MS = 250, LONGEST_PAUSE_MS = 10_000, PING_MS = 25_000;
const TOKEN_EXPIRED = 4401, REFUSED = 1008;

export class Live extends EventTarget {
  #api;
  #socket = null;
  #cursor = null;
  #pause = FIRST_PAUSE_MS;
  #stopped = false;
  #ping = null;
  #isSilent = false; // nothing came since the last ping

  constructor(api) {
    super();
    this.#api = api;
  }

  start() {
    this.#stopped = false;
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#ping);
    this.#socket?.close();
  }

  #connect() {
    const url = new URL("notifications", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#cursor) url.searchParams.set("since", this.#cursor);
    const socket = (this.#socket = new WebSocket(url, ["bearer", this.#api.token]));
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = (event) => this.#closed(event.code);
    clearInterval(this.#ping);
    this.#isSilent = false;
    this.#ping = setInterval(() => this.#askForLife(socket), PING_MS);
  }

  /** Send a ping; close a connection on which the last one was not answered, as after a change of the network. */
  #askForLife(socket) {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (this.#isSilent) return socket.close();
    this.#isSilent = true;
    socket.send('{"type":"ping"}');
  }

  #take(frame) {
    this.#pause = FIRST_PAUSE_MS;
    this.#isSilent = false;
    if (frame.cursor) this.#cursor = frame.cursor;
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  async #closed(code) {
    if (this.#stopped) return;
    this.dispatchEvent(new CustomEvent("frame", { detail: { type: "disconnected" } }));
    if (code === TOKEN_EXPIRED || code === REFUSED) await this.#api.refresh().catch(() => {});
    if (!this.#api.isSignedIn) return;
    setTimeout(() => this.#stopped || this.#connect(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2);
  }
}
