// The page: sign-in, or the conversations beside the view that the address names.
//   #/  nothing chosen   #/c/<conversation>[/m/<message>]   #/new[/<recipient>]   #/operator

import { Api } from "./api.js";
import { el, button } from "./elements.js";
import { Live } from "./live.js";
import { ConversationList } from "./list.js";
import { pagesMenu } from "./menu.js";
import { Model } from "./model.js";
import { newMessageView } from "./new.js";
import { operatorView } from "./operator.js";
import { forgetOutgoing } from "./outgoing.js";
import { Phones } from "./phones.js";
import { signInView } from "./sign-in.js";
import { ThreadView } from "./thread.js";
import { say, switchLanguage } from "./words.js";

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 8_000, NARROW = "(max-width: 46rem)";
const root = document.getElementById("app");
const api = new Api(), phones = new Phones();
let live = null, model = null, list = null, view = null;

api.onSessionOver = () => begin(say("sessionOver"));

function begin(notice = "") {
  live?.stop();
  view?.close?.();
  list?.close();
  live = model = list = view = null;
  if (!api.isSignedIn) return root.replaceChildren(signInView(api, begin, notice));
  const own = (model = new Model(api)), frames = (live = new Live(api));
  live.addEventListener("frame", (event) => own.take(event.detail).catch(report));
  list = new ConversationList(model, api);
  root.replaceChildren(shell());
  load(own, frames);
}

/** Load the conversations, as often as it takes: the server may just be starting. */
async function load(own, frames) {
  for (let pause = FIRST_PAUSE_MS; live === frames && api.isSignedIn; pause = Math.min(LONGEST_PAUSE_MS, 2 * pause)) {
    try {
      await own.load();
      if (live !== frames || !api.isSignedIn) return; // the page began anew meanwhile
      report(null);
      frames.start();
      if (!view) route(); // else somebody went there meanwhile, and may be writing
      return;
    } catch (error) {
      report(error);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function shell() {
  const connection = el("p", { class: "connection", role: "status" });
  model.addEventListener("change", ({ detail }) => {
    if (detail.what === "connection") connection.textContent = model.isConnected ? "" : say("offline");
  });
  const skip = button(say("skip"), () => document.getElementById("view").focus(), { class: "skip" });
  const bar = el("header", { class: "bar" }, skip,
    el("a", { href: "#/", class: "brand" }, el("img", { src: "console/icon.svg", alt: "", width: 24, height: 24 }), "Chat4All"),
    connection,
    pagesMenu(phones.switch(), api.username, () => { switchLanguage(); begin(); }, () => api.signOut().then(() => { forgetOutgoing(); location.hash = "#/"; begin(); })));
  return el("div", { class: "shell" }, bar, list.element, el("main", { id: "view", tabindex: "-1" }), phones.element);
}

function nothingChosen() {
  if (!phones.url) return el("p", { class: "empty" }, say("choose"));
  return el("div", { class: "empty welcome" }, el("h2", {}, say("begin")), el("ol", {}, ...["begin1", "begin2", "begin3"].map((word) => el("li", {}, say(word)))));
}

function partsOf(hash) {
  return hash.slice(1).split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part; // not an encoding: taken as it stands
    }
  });
}

function route() {
  if (!api.isSignedIn || !model) return;
  const [, name, id, , messageId] = partsOf(location.hash);
  const place = document.getElementById("view");
  view?.close?.();
  view = null;
  document.querySelector(".shell").classList.toggle("chosen", Boolean(name));
  list.choose(name === "c" ? id : null);
  if (name === "c" && id) view = new ThreadView(model, api, id, messageId);
  else if (name === "new") view = newMessageView(model, api, id);
  else if (name === "operator") view = operatorView(api, phones.url);
  place.replaceChildren(view?.element ?? nothingChosen());
  view?.focus?.();
  for (const link of document.querySelectorAll(".bar nav a")) link.setAttribute("aria-current", link.hash && location.hash.startsWith(link.hash) ? "page" : "false");
  if (name && matchMedia(NARROW).matches) phones.hide(); // they cover the page there
}

function report(error) {
  const place = document.querySelector(".connection");
  if (place) place.textContent = !error ? "" : error.status === 0 ? say("unreachable") : error.message;
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey;
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    list?.focusSearch();
  }
  if (event.key === "n" && !isTyping && model) location.hash = "#/new";
});
begin();
