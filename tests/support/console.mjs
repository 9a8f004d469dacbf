// Runs a scenario over the console's scripts, on a document that is just enough, and prints what it returns as JSON:
// node console.mjs <folder of the scripts> <scenario: the body of an async function>
import { pathToFileURL } from "node:url";

class Element extends EventTarget {
  constructor(name) {
    super();
    Object.assign(this, { name, children: [], style: {}, dataset: {}, value: "", disabled: false, hidden: false, elements: {} });
    this.classList = { toggle() {}, add() {}, remove() {} };
  }
  setAttribute(key, value) { this[key] = value; }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  set textContent(text) { this.children = text ? [text] : []; }
  get textContent() { return this.children.map((child) => child.textContent ?? child).join(""); }
  focus() {}
  remove() {}
  after() {}
  removeAttribute() {}
  contains() { return false; }
  querySelector() { return null; }
  querySelectorAll() { return []; }
  click() {}
  requestSubmit() { this.dispatchEvent(new Event("submit", { cancelable: true })); }
  all(name) {
    const inner = this.children.flatMap((child) => child.all?.(name) ?? []);
    return this.name === name ? [this, ...inner] : inner;
  }
}

const storage = () => {
  const kept = new Map();
  const deeds = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  // as in a browser, the keys of the object are those that are kept
  return new Proxy(deeds, {
    get: (target, name) => target[name], ownKeys: () => [...kept.keys()],
    getOwnPropertyDescriptor: (target, name) => (kept.has(name) ? { enumerable: true, configurable: true } : undefined),
  });
};
const events = new EventTarget(), byId = {};
Object.assign(globalThis, {
  document: {
    createElement: (name) => new Element(name), getElementById: (id) => (byId[id] ??= new Element(id)),
    querySelector: (selector) => (selector.startsWith("meta") ? null : new Element("any")), documentElement: {}, body: new Element("body"), baseURI: "http://chat.example/",
  },
  ResizeObserver: class { observe() {} unobserve() {} disconnect() {} },
  sessionStorage: storage(), localStorage: storage(), location: { hash: "" }, requestAnimationFrame: (draw) => draw(), matchMedia: () => ({ matches: false }),
  addEventListener: events.addEventListener.bind(events), removeEventListener: events.removeEventListener.bind(events),
  dispatchEvent: events.dispatchEvent.bind(events),
});
Object.defineProperty(globalThis, "navigator", { value: { language: "en" }, configurable: true });

/** An API whose calls wait until the scenario answers them. */
class Calls {
  me = "u";
  posted = [];
  post(path, body, headers = {}) {
    return new Promise((answer, refuse) => this.posted.push({ body, key: headers["Idempotency-Key"], answer, refuse }));
  }
}

/** Type a text into a field, after what is there. */
function type(field, text) {
  field.value += text;
  field.dispatchEvent(new Event("input"));
}

function press(field, key) {
  field.dispatchEvent(Object.assign(new Event("keydown", { cancelable: true }), { key }));
}

/** Wait until everything that is ready has run. */
const settled = () => new Promise((done) => setTimeout(done));

const [folder, scenario] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${folder}/${name}`));
const Scenario = Object.getPrototypeOf(async () => {}).constructor;
const run = new Scenario("load", "Calls", "Element", "type", "press", "settled", scenario);
const found = await run(load, Calls, Element, type, press, settled);
// timers of the page, such as the one of its connection, may still be running: nobody waits for them
process.stdout.write(JSON.stringify(found), () => process.exit(0));
