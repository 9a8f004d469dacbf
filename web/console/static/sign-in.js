// Signing in and registering.

import { button, el, setBusy } from "./elements.js";
import { say, switchLanguage } from "./words.js";

/** Return the form. `begin` shows the page anew. */
export function signInView(api, begin, notice) {
  let isNew = false;
  const isDemonstration = Boolean(document.querySelector('meta[name="simulator"]')?.content);
  const fault = el("p", { class: "fault", role: "alert" }, notice);
  const username = el("input", { id: "username", autocomplete: "username", required: true, autocapitalize: "none" });
  const password = el("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  const hint = el("p", { class: "soft", hidden: true }, say("passwordHint"));
  const submit = el("button", { type: "submit" }, say("signIn"));
  const other = button(say("haveNone"), () => {
    isNew = !isNew;
    submit.textContent = say(isNew ? "register" : "signIn");
    other.textContent = say(isNew ? "haveOne" : "haveNone");
    password.autocomplete = isNew ? "new-password" : "current-password";
    hint.hidden = !isNew;
    fault.textContent = "";
    username.focus();
  }, { class: "quiet" });
  const form = el("form", { class: "sign-in" },
    el("img", { src: "console/icon.svg", alt: "", width: 48, height: 48 }), el("h1", {}, "Chat4All"),
    el("p", { class: "soft" }, say("welcome")),
    el("label", { for: "username" }, say("username")), username, el("label", { for: "password" }, say("password")), password, hint,
    fault, submit, other, isDemonstration ? el("p", { class: "soft" }, say("demonstration")) : null,
    button(say("language"), () => { switchLanguage(); begin(); }, { class: "quiet" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setBusy(submit, true);
    try {
      await (isNew ? api.register(username.value, password.value) : api.signIn(username.value, password.value));
      begin();
    } catch (error) {
      fault.textContent = error.status === 0 ? say("unreachable") : error.message;
      setBusy(submit, false);
    }
  });
  requestAnimationFrame(() => username.focus());
  return el("main", {}, form);
}
