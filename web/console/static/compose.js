// Where a message is written: the channel's limit as it is typed, a file by button or drop, a reply.

import { button, el } from "./elements.js";
import { say } from "./words.js";

// characters count in UTF-16 units, as the channels count them; the system's own limit is in bytes
const LIMITS = {
  whatsapp: { most: 4096, size: (text) => text.length },
  telegram: { most: 4096, size: (text) => text.length },
  instagram: { most: 999, size: (text) => new TextEncoder().encode(text).length },
  "": { most: 10240, size: (text) => new TextEncoder().encode(text).length },
};
const SHOWN_BELOW = 200;

/**
 * Return {key, forget()}: the idempotency key of the message `body` written at `place`. It is the same for each try, also
 * after a reload, until the message is accepted: an earlier try may have reached the server without an answer.
 */
export function keyFor(place, body) {
  const name = `chat4all.key.${place}`, words = JSON.stringify(body);
  let kept = JSON.parse(sessionStorage.getItem(name) ?? "null");
  if (kept?.words !== words) {
    kept = { words, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    sessionStorage.setItem(name, JSON.stringify(kept));
  }
  return { key: kept.key, forget: () => sessionStorage.removeItem(name) };
}

/** Return {element, replyTo(message), tell(text), close()}. `channels`: those of the other participants. */
export function composer(model, api, conversationId, channels) {
  let file = null, reply = null, isSending = false;
  const draftKey = `chat4all.draft.${conversationId}`;
  const text = el("textarea", { rows: 1, placeholder: say("write"), "aria-label": say("write") });
  text.value = sessionStorage.getItem(draftKey) ?? "";
  const left = el("span", { class: "soft left", role: "status" });
  const fault = el("p", { class: "fault", role: "alert" });
  const notes = el("div", { class: "notes" });
  const progress = el("progress", { max: 1, value: 0, hidden: true, "aria-label": say("uploading") });
  const pick = el("input", { type: "file", hidden: true });
  const submit = el("button", { type: "submit" }, say("send"));
  const form = el("form", { class: "compose" }, notes, fault, progress,
    el("div", { class: "line" }, button("+", () => pick.click(), { title: say("attach"), "aria-label": say("attach"), class: "quiet" }),
      pick, text, left, submit));

  const limits = [LIMITS[""], ...channels.map((channel) => LIMITS[channel]).filter(Boolean)];

  function measure() {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, 200)}px`;
    const rest = Math.min(...limits.map((limit) => limit.most - limit.size(text.value)));
    left.textContent = rest < 0 ? `${say("tooLong")} ${-rest}` : rest < SHOWN_BELOW ? `${rest} ${say("left")}` : "";
    left.classList.toggle("over", rest < 0);
    submit.disabled = isSending || rest < 0 || (!text.value.trim() && !file);
  }

  function keepDraft() {
    if (text.value) sessionStorage.setItem(draftKey, text.value);
    else sessionStorage.removeItem(draftKey);
  }

  function drawNotes() {
    const chip = (label, clear) => el("span", { class: "chip" }, label, button("×", clear, { "aria-label": say("remove") }));
    notes.replaceChildren(...[
      reply && chip(`${say("replyingTo")} “${(reply.content || reply.file_metadata?.filename || "…").slice(0, 60)}”`, () => { reply = null; drawNotes(); }),
      file && chip(file.name, () => { file = null; drawNotes(); measure(); }),
    ].filter(Boolean));
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    fault.textContent = "";
    submit.disabled = true;
    const own = { file, reply, content: text.value }; // what is written meanwhile belongs to the next message
    try {
      const body = { conversation_id: conversationId, content: own.content };
      if (own.reply) body.reply_to = own.reply.message_id;
      if (own.file) {
        progress.hidden = false;
        own.file.uploaded ??= (await api.upload(conversationId, own.file, (share) => (progress.value = share))).file_id;
        body.file_id = own.file.uploaded;
      }
      const { key, forget } = keyFor(conversationId, body);
      const accepted = await api.post("v1/messages", body, { "Idempotency-Key": key });
      forget();
      const message = { ...accepted, content: body.content, sender_id: api.me, sender: { user_id: api.me, username: api.username }, reply_to: body.reply_to };
      if (own.file) message.file_id = body.file_id, message.file_metadata = { filename: own.file.name, size_bytes: own.file.size, mimetype: own.file.type };
      if (text.value.startsWith(own.content)) text.value = text.value.slice(own.content.length);
      keepDraft();
      if (file === own.file) file = null;
      if (reply === own.reply) reply = null;
      drawNotes();
      await model.sent(conversationId, message);
    } catch (error) {
      fault.textContent = error.status === 0 ? say("unreachable") : error.message;
    } finally {
      progress.hidden = true;
      isSending = false;
      measure();
      text.focus();
    }
  }

  const take = (one) => { file = one ?? null; drawNotes(); measure(); };
  pick.addEventListener("change", () => take(pick.files[0]));
  text.addEventListener("input", () => { keepDraft(); measure(); });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!submit.disabled) form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });

  const over = (event) => { event.preventDefault(); document.body.dataset.drop = say("dropHere"); };
  const away = () => delete document.body.dataset.drop;
  const drop = (event) => { event.preventDefault(); away(); take(event.dataTransfer.files[0]); };
  const listeners = { dragover: over, dragleave: away, drop };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
  requestAnimationFrame(measure);

  return {
    element: form,
    replyTo(message) { reply = message; drawNotes(); text.focus(); },
    tell(sentence) { fault.textContent = sentence; },
    close() { for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener); },
  };
}
