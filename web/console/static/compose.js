// Where a message is written: the channel's limit as it is typed, a file by button, drop or paste, a reply.

import { attachment } from "./attachment.js";
import { button, el, setBusy } from "./elements.js";
import { roomFor } from "./limits.js";
import { say } from "./words.js";

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

/** Return {element, replyTo(message), tell(text, isFault), close()}. `channels`: those of the other participants. */
export function composer(model, api, conversationId, channels) {
  let attached = null, reply = null, isSending = false;
  const draftKey = `chat4all.draft.${conversationId}`;
  const text = el("textarea", { rows: 1, placeholder: say("write"), "aria-label": say("write") });
  text.value = sessionStorage.getItem(draftKey) ?? "";
  const left = el("span", { class: "soft left", role: "status" });
  const fault = el("p", { class: "fault", role: "alert" }), told = el("p", { class: "soft told", role: "status" });
  const notes = el("div", { class: "notes" });
  const pick = el("input", { type: "file", hidden: true });
  const submit = el("button", { type: "submit" }, say("send"));
  const form = el("form", { class: "compose" }, notes, fault, told,
    el("div", { class: "line" }, button("+", () => pick.click(), { title: say("attach"), "aria-label": say("attach"), class: "quiet" }),
      pick, text, left, submit));

  function measure() {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, 200)}px`;
    const { rest, isClose } = roomFor(text.value, channels);
    left.textContent = rest < 0 ? `${say("tooLong")} ${-rest}` : isClose ? `${rest} ${say("left")}` : "";
    left.classList.toggle("over", rest < 0);
    submit.disabled = isSending || rest < 0 || (!text.value.trim() && !attached);
  }

  function keepDraft() {
    if (text.value) sessionStorage.setItem(draftKey, text.value);
    else sessionStorage.removeItem(draftKey);
  }

  function drawNotes() {
    const chip = (label, clear) => el("span", { class: "chip" }, label, button("×", clear, { "aria-label": say("remove") }));
    notes.replaceChildren(...[
      reply && chip(`${say("replyingTo")} “${(reply.content || reply.file_metadata?.filename || "…").slice(0, 60)}”`, () => { reply = null; drawNotes(); }),
      attached?.element,
    ].filter(Boolean));
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    tell("");
    setBusy(submit, true);
    const own = { attached, reply, content: text.value }; // what is written meanwhile belongs to the next message
    try {
      const body = { conversation_id: conversationId, content: own.content };
      if (own.reply) body.reply_to = own.reply.message_id;
      if (own.attached) {
        tell(say("sentWhenUploaded"), false);
        body.file_id = await own.attached.result;
      }
      const { key, forget } = keyFor(conversationId, body);
      const accepted = await api.post("v1/messages", body, { "Idempotency-Key": key });
      forget();
      const message = { ...accepted, content: body.content, sender_id: api.me, sender: { user_id: api.me, username: api.username }, reply_to: body.reply_to };
      if (own.attached) {
        const { file } = own.attached;
        Object.assign(message, { file_id: body.file_id, file_metadata: { filename: file.name, size_bytes: file.size, mimetype: file.type } });
        own.attached.finish();
      }
      if (text.value.startsWith(own.content)) text.value = text.value.slice(own.content.length);
      keepDraft();
      if (attached === own.attached) attached = null;
      if (reply === own.reply) reply = null;
      drawNotes();
      tell("");
      await model.sent(conversationId, message);
    } catch (error) {
      if (error.status === 0 && error.message === "cancelled") tell("");
      else tell(error.status === 0 ? say("unreachableKept") : error.message);
    } finally {
      isSending = false;
      setBusy(submit, false);
      measure();
      text.focus();
    }
  }

  function tell(sentence, isFault = true) {
    fault.textContent = isFault ? sentence : "";
    told.textContent = isFault ? "" : sentence;
  }

  function take(files) {
    if (!files.length) return;
    tell(files.length > 1 ? say("oneFile") : "", false);
    attached?.close();
    attached = attachment(api, conversationId, files[0], () => { attached = null; drawNotes(); measure(); });
    attached.result.catch((error) => error.message === "cancelled" || tell(error.message || say("uploadFailed")));
    pick.value = "";
    drawNotes();
    measure();
    text.focus();
  }

  pick.addEventListener("change", () => take([...pick.files]));
  text.addEventListener("input", () => { keepDraft(); measure(); });
  text.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) event.preventDefault();
    take(files);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!submit.disabled) form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });

  const over = (event) => { event.preventDefault(); document.body.dataset.drop = say("dropHere"); };
  const away = (event) => { if (!event.relatedTarget) delete document.body.dataset.drop; };
  const drop = (event) => { event.preventDefault(); delete document.body.dataset.drop; take([...event.dataTransfer.files]); };
  const listeners = { dragover: over, dragleave: away, drop };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
  requestAnimationFrame(measure);

  return {
    element: form,
    fill(words) { text.value = words; keepDraft(); measure(); text.focus(); },
    replyTo(message) { reply = message; drawNotes(); text.focus(); },
    tell,
    close() {
      attached?.close();
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener);
    },
  };
}
