// Where a message is written: the channel's limit as it is typed, a file by button, drop or paste, a reply.

import { attachment } from "./attachment.js";
import { button, el } from "./elements.js";
import { keep, kept } from "./kept.js";
import { roomFor } from "./limits.js";
import { isRefusal, outgoingOf } from "./outgoing.js";
import { say } from "./words.js";

/** Return {element, replyTo(message), tell(text, isFault), close()}. `channels`: those of the other participants. */
export function composer(model, api, conversationId, channels) {
  let attached = null, reply = null;
  const me = api.me, outgoing = outgoingOf(api, conversationId);
  const draftKey = `chat4all.draft.${me}.${conversationId}`;
  const text = el("textarea", { rows: 1, placeholder: say("write"), "aria-label": say("write") });
  text.value = [kept(draftKey), ...outgoing.lostWords.splice(0)].filter(Boolean).join("\n");
  const left = el("span", { class: "soft left", role: "status" });
  const fault = el("p", { class: "fault", role: "alert" }), told = el("p", { class: "soft told", role: "status" });
  const notes = el("div", { class: "notes" });
  const pick = el("input", { type: "file", hidden: true });
  const submit = el("button", { type: "submit" }, say("send"));
  const form = el("form", { class: "compose" }, outgoing.element, notes, fault, told,
    el("div", { class: "line" }, button("+", () => pick.click(), { title: say("attach"), "aria-label": say("attach"), class: "quiet" }),
      pick, text, left, submit));

  function measure() {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, 200)}px`;
    const { rest, isClose } = roomFor(text.value, channels);
    left.textContent = rest < 0 ? `${say("tooLong")} ${-rest}` : isClose ? `${rest} ${say("left")}` : "";
    left.classList.toggle("over", rest < 0);
    submit.disabled = rest < 0 || (!text.value.trim() && !attached && outgoing.isEmpty);
  }

  function keepDraft() {
    if (api.me === me) keep(draftKey, text.value || null);
  }

  function drawNotes() {
    const chip = (label, clear) => el("span", { class: "chip" }, label, button("×", clear, { "aria-label": say("remove") }));
    notes.replaceChildren(...[
      reply && chip(`${say("replyingTo")} “${(reply.content || reply.file_metadata?.filename || "…").slice(0, 60)}”`, () => { reply = null; drawNotes(); }),
      attached?.element,
    ].filter(Boolean));
  }

  /** Send one of the outgoing messages. */
  async function send({ content, reply: quoted, attached: own, key }) {
    const body = { conversation_id: conversationId, content };
    if (quoted) body.reply_to = quoted.message_id;
    if (own) {
      tell(say("sentWhenUploaded"), false);
      // an upload tries for long: when it has ended the words are in the text again, and the file can be taken anew
      body.file_id = await own.result.catch((error) => { throw Object.assign(error, { isFinal: true }); });
    }
    if (api.me !== me) throw new Error("cancelled"); // signed out meanwhile: nobody sends in another's name
    const accepted = await api.post("v1/messages", body, { "Idempotency-Key": key });
    const message = { ...accepted, content, sender_id: me, sender: { user_id: me, username: api.username }, reply_to: body.reply_to };
    if (own) {
      const { file } = own;
      Object.assign(message, { file_id: body.file_id, file_metadata: { filename: file.name, size_bytes: file.size, mimetype: file.type } });
      own.finish();
    }
    tell("");
    await model.sent(conversationId, message).catch(() => {}); // accepted, whatever the page can read just now
  }

  /** Put what is written with the outgoing messages, and send them. */
  async function submitted() {
    if (text.value.trim() || attached) {
      outgoing.add({ content: text.value, reply, attached });
      [text.value, reply, attached] = ["", null, null];
      keepDraft();
      drawNotes();
    }
    tell("");
    measure();
    await flush();
    text.focus();
  }

  async function flush(isBack) {
    await outgoing.go(isBack);
    measure();
  }

  /** Tell why a message was not taken. One that was refused is in the text again. */
  function fell(message, error) {
    if (isRefusal(error)) {
      text.value = [message.content, text.value].filter(Boolean).join("\n");
      reply ??= message.reply;
      if (error.message !== "cancelled") attached ??= message.attached;
      keepDraft();
      drawNotes();
    }
    if (error.message === "cancelled") tell("");
    else tell(error.status === 0 ? say("unreachableKept") : error.message);
    measure();
  }

  function tell(sentence, isFault = true) {
    fault.textContent = isFault ? sentence : "";
    told.textContent = isFault ? "" : sentence;
  }

  function take(files) {
    if (!files.length) return;
    tell(files.length > 1 ? say("oneFile") : "", false);
    attached?.close();
    const taken = attached = attachment(api, conversationId, files[0], () => { if (attached === taken) attached = null; drawNotes(); measure(); });
    taken.result.catch((error) => error.message === "cancelled" || tell(error.message || say("uploadFailed")));
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
  form.addEventListener("submit", (event) => { event.preventDefault(); submitted(); });

  const over = (event) => { event.preventDefault(); document.body.dataset.drop = say("dropHere"); };
  const away = (event) => { if (!event.relatedTarget) delete document.body.dataset.drop; };
  const drop = (event) => { event.preventDefault(); delete document.body.dataset.drop; take([...event.dataTransfer.files]); };
  const listeners = { dragover: over, dragleave: away, drop };
  for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener);
  keepDraft();
  requestAnimationFrame(measure);
  outgoing.host = { send, fell, flush };
  flush(); // what a page that was left had begun

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
