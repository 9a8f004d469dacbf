// Where a new conversation begins: a channel, a recipient there, a first message.

import { el, setBusy } from "./elements.js";
import { keep, kept } from "./kept.js";
import { roomFor } from "./limits.js";
import { newKey } from "./outgoing.js";
import { say } from "./words.js";

const CHANNELS = ["whatsapp", "instagram", "telegram", "user"], OF_RECIPIENT = "recipient_id: ";

/**
 * Return {key, forget()}: the idempotency key of the message `body`. It is the same for each try, also after a reload, until
 * the message is accepted: an earlier try may have reached the server without an answer.
 */
function keyFor(body) {
  const name = "chat4all.key.new", words = JSON.stringify(body);
  let before = kept(name);
  if (before?.words !== words) {
    before = { words, key: newKey() };
    keep(name, before);
  }
  return { key: before.key, forget: () => keep(name, null) };
}

/** Return {element, focus()}. `to`: a recipient to begin with, such as "whatsapp:+5511999990000". */
export function newMessageView(model, api, to = "") {
  const [given, rest] = to.includes(":") ? [to.split(":")[0], to.slice(to.indexOf(":") + 1)] : ["whatsapp", to];
  const choices = CHANNELS.map((channel) => el("label", { class: "choice" },
    el("input", { type: "radio", name: "channel", value: channel, checked: channel === given }), el("span", {}, say(`to_${channel}`))));
  const recipient = el("input", { id: "to", required: true, autocomplete: "off", autocapitalize: "none", "aria-describedby": "to-hint" });
  recipient.value = rest;
  const hint = el("p", { class: "soft", id: "to-hint" });
  const text = el("textarea", { id: "first", rows: 4, required: true });
  const left = el("p", { class: "soft left", role: "status" });
  const fault = el("p", { class: "fault", role: "alert", id: "new-fault" });
  const submit = el("button", { type: "submit" }, say("send"));
  const form = el("form", { class: "new" }, el("h1", {}, say("newConversation")),
    el("fieldset", { class: "choices" }, el("legend", {}, say("where")), ...choices),
    el("label", { for: "to" }, say("to")), recipient, hint, el("label", { for: "first" }, say("write")), text, left, fault, submit);
  let isBusy = false, refused = ""; // the recipient that the server did not take

  const channel = () => form.elements.channel?.value || given;
  function measure() {
    recipient.placeholder = say(`example_${channel()}`);
    hint.textContent = say(`hint_${channel()}`);
    const { rest: room, isClose } = roomFor(text.value, [channel()]);
    left.textContent = room < 0 ? `${say("tooLong")} ${-room}` : isClose ? `${room} ${say("left")}` : "";
    left.classList.toggle("over", room < 0);
    submit.disabled = isBusy || room < 0;
    if (refused && address() !== refused) isRefused("");
  }

  function setSending(is) {
    isBusy = text.readOnly = is;
    setBusy(submit, is);
  }

  function isRefused(who) {
    refused = who;
    recipient.setAttribute("aria-invalid", String(Boolean(who)));
    recipient.setAttribute("aria-describedby", who ? "new-fault" : "to-hint");
    if (!who) fault.textContent = "";
  }

  /** What is meant: an address that names its channel, or one of the chosen channel. */
  function address() {
    const typed = recipient.value.trim();
    if (CHANNELS.some((name) => typed.startsWith(`${name}:`))) return typed;
    if (channel() === "whatsapp") return `whatsapp:${typed.replace(/[\s()-]/g, "").replace(/^(?=\d)/, "+")}`;
    if (channel() === "instagram") return `instagram:${typed.replace(/^(?=[^@\d])/, "@")}`;
    return `${channel()}:${channel() === "user" ? typed.replace(/^@/, "") : typed}`;
  }

  form.addEventListener("input", measure);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    setSending(true);
    const me = api.me, who = address(), body = { recipient_id: who, content: text.value }, { key, forget } = keyFor(body);
    try {
      const { conversation_id } = await api.post("v1/messages", body, { "Idempotency-Key": key });
      if (api.me !== me) return; // signed out meanwhile
      forget();
      model.begin(conversation_id, who.startsWith("user:") ? { username: who.slice(5) } : { address: who });
      location.hash = `#/c/${encodeURIComponent(conversation_id)}`;
    } catch (error) {
      const detail = error.problem?.detail ?? "", isRecipient = detail.startsWith(OF_RECIPIENT);
      fault.textContent = error.status === 0 ? say("unreachableKept") : isRecipient ? `${say("noSuchRecipient")} ${detail.slice(OF_RECIPIENT.length)}` : error.message;
      if (isRecipient) {
        isRefused(who);
        recipient.focus();
      }
    } finally {
      setSending(false);
    }
  });
  measure();
  return { element: form, focus: () => (rest ? text : recipient).focus() };
}
