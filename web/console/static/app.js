// The page: sign-in, or the conversations beside the view that the address names.
//   #/            nothing chosen      #/c/<conversation>[/m/<message>]      #/new      #/operator

import { Api } from "./api.js";
import { el, button } from "./elements.js";
import { Live } from "./live.js";
import { ConversationList } from "./list.js";
import { Model } from "./model.js";
import { operatorView } from "./operator.js";
import { newMessageView, ThreadView } from "./thread.js";
import { say, switchLanguage } from "./words.js";

const root = document.getElementById("app");
const api = new Api();
let live = null, model = null, list = null, view = null;

api.onSessionOver = () => begin(say("sessionOver"));

function begin(notice = "") {
  live?.stop();
  view?.close?.();
  view = null;
  if (!api.isSignedIn) return root.replaceChildren(signInView(notice));
  const own = (model = new Model(api)), frames = (live = new Live(api));
  live.addEventListener("frame", (event) => own.take(event.detail).catch(report));
  list = new ConversationList(model, api);
  root.replaceChildren(shell());
  own.load().then(() => {
    if (live !== frames || !api.isSignedIn) return; // the page began anew meanwhile
    frames.start();
    route();
  }).catch(report);
}

function shell() {
  const connection = el("p", { class: "connection", role: "status" });
  model.addEventListener("change", ({ detail }) => {
    if (detail.what === "connection") connection.textContent = model.isConnected ? "" : say("offline");
  });
  const bar = el("header", { class: "bar" },
    el("a", { href: "#/", class: "brand" }, el("img", { src: "console/icon.svg", alt: "", width: 24, height: 24 }), "Chat4All"),
    connection,
    el("nav", {},
      el("a", { href: "#/operator" }, say("operator")), el("a", { href: "docs" }, say("docs")),
      button(say("language"), () => { switchLanguage(); begin(); }, { class: "quiet" }),
      el("span", { class: "soft name" }, api.username),
      button(say("signOut"), () => api.signOut().then(() => begin()), { class: "quiet" })));
  return el("div", { class: "shell" }, bar, list.element, el("main", { id: "view", tabindex: "-1" }));
}

function route() {
  if (!api.isSignedIn || !model) return;
  const [, name, id, , messageId] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const place = document.getElementById("view");
  view?.close?.();
  view = null;
  document.querySelector(".shell").classList.toggle("chosen", Boolean(name));
  list.choose(name === "c" ? id : null);
  if (name === "c" && id) view = new ThreadView(model, api, id, messageId);
  else if (name === "new") view = { element: newMessageView(model, api) };
  else if (name === "operator") view = operatorView(api);
  place.replaceChildren(view?.element ?? el("p", { class: "empty" }, say("choose")));
}

function signInView(notice) {
  let isNew = false;
  const fault = el("p", { class: "fault", role: "alert" }, notice);
  const username = el("input", { id: "username", autocomplete: "username", required: true, autocapitalize: "none" });
  const password = el("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  const submit = el("button", { type: "submit" }, say("signIn"));
  const other = button(say("haveNone"), () => {
    isNew = !isNew;
    submit.textContent = say(isNew ? "register" : "signIn");
    other.textContent = say(isNew ? "haveOne" : "haveNone");
    password.autocomplete = isNew ? "new-password" : "current-password";
  }, { class: "quiet" });
  const form = el("form", { class: "sign-in" },
    el("img", { src: "console/icon.svg", alt: "", width: 48, height: 48 }), el("h1", {}, "Chat4All"),
    el("p", { class: "soft" }, say("welcome")),
    el("label", { for: "username" }, say("username")), username, el("label", { for: "password" }, say("password")), password,
    fault, submit, other,
    button(say("language"), () => { switchLanguage(); begin(); }, { class: "quiet" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    try {
      await (isNew ? api.register(username.value, password.value) : api.signIn(username.value, password.value));
      begin();
    } catch (error) {
      fault.textContent = error.status === 0 ? say("unreachable") : error.message;
      submit.disabled = false;
    }
  });
  return form;
}

function report(error) {
  const place = document.querySelector(".connection");
  if (place) place.textContent = error.status === 0 ? say("unreachable") : error.message;
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    list?.focusSearch();
  }
});
begin();
