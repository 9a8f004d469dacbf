// The pages and what concerns the session: a line on a wide page, behind one button on a narrow one.

import { button, el } from "./elements.js";
import { say } from "./words.js";

/** Return the menu. `phones`: the button that shows the telephones, or null. */
export function pagesMenu(phones, username, changeLanguage, signOut) {
  const more = el("div", { class: "more", id: "more" },
    el("a", { href: "#/operator" }, say("operator")), el("a", { href: "docs" }, say("docs")),
    button(say("language"), changeLanguage, { class: "quiet" }), el("span", { class: "soft name" }, username), button(say("signOut"), signOut, { class: "quiet" }));
  const opener = button("☰", () => show(opener.getAttribute("aria-expanded") !== "true"), { class: "quiet opener", "aria-label": say("menu"), "aria-expanded": "false", "aria-controls": "more" });
  const menu = el("nav", { "aria-label": say("pages") }, phones, opener, more);

  function show(isShown) {
    opener.setAttribute("aria-expanded", String(isShown));
    menu.classList.toggle("opened", isShown);
  }

  more.addEventListener("click", () => show(false));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || opener.getAttribute("aria-expanded") !== "true") return;
    show(false);
    opener.focus();
  });
  menu.addEventListener("focusout", (event) => event.relatedTarget && !menu.contains(event.relatedTarget) && show(false));
  return menu;
}
