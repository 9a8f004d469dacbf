// The members of a conversation: who they are, where they are reached; in a group its admins add and remove them.

import { badge, button, el } from "./elements.js";
import { nameOf } from "./people.js";
import { say } from "./words.js";

/** Return the panel. */
export function membersPanel(model, api, conversation, close) {
  const fault = el("p", { class: "fault", role: "alert" }), people = el("ul", { class: "people" }), place = el("div");
  const panel = el("section", { class: "life", "aria-label": say("members") },
    el("header", {}, el("h2", {}, say("members")), button("×", close, { "aria-label": say("close"), class: "quiet" })), people, fault, place);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());

  async function tried(call) {
    try {
      await call();
      fault.textContent = "";
      await model.reload(conversation.id);
      draw();
    } catch (error) {
      fault.textContent = error.status === 0 ? say("unreachable") : error.message;
    }
  }

  function draw(admins = []) {
    const mayChange = admins.includes(api.me);
    people.replaceChildren(...(conversation.document.participant_details ?? []).map((party) => {
      const name = nameOf(party), where = party.user_id ? say(admins.includes(party.user_id) ? "adminHere" : "userHere") : party.address;
      const id = party.user_id ?? party.address;
      const remove = () => tried(() => api.delete(`v1/groups/${conversation.id}/members/${encodeURIComponent(id)}`));
      return el("li", {}, badge(name.replace(/^\w+:/, ""), id), el("span", {}, el("strong", {}, name), el("br"), el("span", { class: "soft" }, where)),
        mayChange && party.user_id !== api.me ? button(say("remove"), remove, { class: "quiet" }) : null);
    }));
    place.replaceChildren(...(mayChange ? [adding()] : []));
  }

  function adding() {
    const who = el("input", { "aria-label": say("addMember"), placeholder: say("toHint"), required: true });
    const form = el("form", { class: "line" }, who, el("button", { type: "submit" }, say("add")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => api.post(`v1/groups/${conversation.id}/members`, { user_id: who.value.trim() }));
    });
    return form;
  }

  draw();
  if (conversation.document.is_group) api.get(`v1/groups/${conversation.id}`).then(({ admins }) => draw(admins.map((one) => one.user_id ?? one))).catch(() => {});
  return panel;
}
