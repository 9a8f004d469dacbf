// Uploads files by tus 1.0: after a break it goes on from where the server stands, also after a reload of the page.

import { Refused } from "./api.js";
import { refusalOf } from "./reasons.js";

const VERSION = { "Tus-Resumable": "1.0.0" };
const TRIES = 12, FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 8_000; // tries in a row that bring no byte further
const WORTH_A_TRY = new Set([0, 408, 409, 423, 429, 460, 500, 502, 503, 504]);

/** One file on its way. States: "going", "waiting" (for the next try), "paused", "done", "failed", "cancelled". */
export class Upload extends EventTarget {
  #api;
  #conversationId;
  #id = null;
  #request = null;
  #wake = null;
  #isPaused = false;
  #isCancelled = false;
  file;
  state = "going";
  sent = 0; // bytes
  result; // a promise of the file's id

  constructor(api, conversationId, file) {
    super();
    this.#api = api;
    this.#conversationId = conversationId;
    this.file = file;
    this.result = this.#run();
    this.result.catch(() => {}); // who waits for it is told, too
  }

  get share() { return this.file.size ? this.sent / this.file.size : 1; }

  pause() {
    this.#isPaused = true;
    this.#request?.abort();
    this.#wake?.();
  }

  resume() {
    this.#isPaused = false;
    this.#wake?.();
  }

  cancel() {
    if (this.state === "done") return;
    this.#isCancelled = true;
    this.#request?.abort();
    this.#wake?.();
  }

  async #run() {
    let tries = 0, best = -1;
    for (;;) {
      if (this.#isCancelled) return this.#end();
      if (this.#isPaused) {
        this.#tell("paused");
        await new Promise((resolve) => (this.#wake = resolve));
        continue;
      }
      this.#tell("going");
      try {
        await this.#api.authorized(() => this.#step());
        this.#forget();
        this.#tell("done");
        return this.#id;
      } catch (error) {
        if (this.#isCancelled || this.#isPaused) continue;
        if (this.sent > best) [best, tries] = [this.sent, 0];
        tries += 1;
        if (!WORTH_A_TRY.has(error.status) || tries >= TRIES) {
          this.#tell("failed");
          throw error;
        }
        this.#tell("waiting");
        await this.#pauseFor(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1)));
      }
    }
  }

  #pauseFor(ms) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  /** Find out how far it is, and send the rest. */
  async #step() {
    this.#id ??= sessionStorage.getItem(this.#name);
    if (this.#id) await this.#look();
    if (!this.#id) await this.#create();
    if (this.sent < this.file.size) await this.#sendRest();
  }

  async #create() {
    const metadata = { conversation_id: this.#conversationId, filename: this.file.name };
    const words = Object.entries(metadata).map(([key, value]) => `${key} ${base64(value)}`).join(",");
    const answer = await this.#ask("POST", "v1/uploads", { "Upload-Length": String(this.file.size), "Upload-Metadata": words });
    this.#id = answer.getResponseHeader("Location").split("/").at(-1);
    sessionStorage.setItem(this.#name, this.#id);
    this.#progress(0);
  }

  async #look() {
    try {
      const answer = await this.#ask("HEAD", `v1/uploads/${this.#id}`);
      this.#progress(Number(answer.getResponseHeader("Upload-Offset")));
    } catch (error) {
      if (![403, 404, 410].includes(error.status)) throw error;
      this.#forget(); // it is no more: begin anew
      this.#id = null;
    }
  }

  async #sendRest() {
    const from = this.sent;
    const headers = { "Upload-Offset": String(from), "Content-Type": "application/offset+octet-stream" };
    await this.#ask("PATCH", `v1/uploads/${this.#id}`, headers, this.file.slice(from), (bytes) => this.#progress(from + bytes));
    this.#progress(this.file.size);
  }

  #ask(method, path, headers = {}, body = null, progress = null) {
    return new Promise((resolve, reject) => {
      const request = (this.#request = new XMLHttpRequest());
      request.open(method, path);
      for (const [name, value] of Object.entries({ ...VERSION, ...headers, Authorization: `Bearer ${this.#api.token}` })) request.setRequestHeader(name, value);
      if (progress) request.upload.onprogress = (event) => progress(event.loaded);
      request.onload = () => {
        if (request.status >= 200 && request.status < 300) resolve(request);
        else reject(new Refused(request.status, detailOf(request)));
      };
      request.onerror = request.onabort = request.ontimeout = () => reject(new Refused(0, ""));
      request.send(body);
    });
  }

  async #end() {
    if (this.#id) await this.#api.authorized(() => this.#ask("DELETE", `v1/uploads/${this.#id}`)).catch(() => {});
    this.#forget();
    this.#tell("cancelled");
    throw new Refused(0, "cancelled");
  }

  /** The name under which the id of an unfinished upload is kept: the same file, chosen again, goes on. */
  get #name() {
    return `chat4all.upload.${JSON.stringify([this.#conversationId, this.file.name, this.file.size, this.file.lastModified])}`;
  }

  #forget() { sessionStorage.removeItem(this.#name); }

  #progress(bytes) {
    this.sent = bytes;
    this.dispatchEvent(new Event("change"));
  }

  #tell(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

function base64(text) { return btoa(String.fromCharCode(...new TextEncoder().encode(text))); }

function detailOf(request) {
  try {
    return refusalOf(JSON.parse(request.responseText), request.statusText);
  } catch {
    return request.statusText;
  }
}
