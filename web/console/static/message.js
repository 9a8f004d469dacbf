// One message: its bubble, and the ticks that say how far it came.

import { el } from "./elements.js";
import { filePart } from "./files.js";
import { nameOf } from "./people.js";
import { reasonOf } from "./reasons.js";
import { say, timeOf } from "./words.js";

const MARKS = { ACCEPTED: "◷", SENT: "✓", DELIVERED: "✓✓", READ: "✓✓", FAILED: "!" };

/** Return the ticks of a message: a clock, one tick, two ticks, two blue ticks, or a red mark with the reason. */
export function ticks(message) {
  const reason = message.status === "FAILED" ? reasonOf(message.failure).words : "";
  const label = reason ? `${say(message.status)}: ${reason}` : say(message.status);
  return el("span", { class: `ticks ${message.status}`, role: "img", "aria-label": label, title: label }, MARKS[message.status] ?? "");
}

/** Return the bubble. `actions`: {reply, react, life, link, linkOf, find, show}. */
export function bubble(message, me, actions) {
  const mine = message.sender_id === me && message.direction !== "inbound";
  const failure = message.status === "FAILED" ? message.failure : null;
  return el("article", { class: `bubble ${mine ? "mine" : "theirs"}`, "data-id": message.message_id, tabindex: "0", id: `m-${message.message_id}` },
    mine ? null : el("p", { class: "sender" }, nameOf(message.sender)),
    message.reply_to ? quote(message.reply_to, actions) : null,
    ...bodyOf(message, actions),
    failure ? failed(message, failure, mine, actions) : null,
    reactionsOf(message),
    el("footer", {}, el("time", {}, timeOf(message.timestamp)), mine ? ticks(message) : null, countsOf(message)),
    el("menu", {}, ...["reply", "react", "life", "link"].filter((name) => actions[name]).map((name) =>
      el("button", { type: "button", title: say(name), "aria-label": say(name), onclick: () => actions[name](message) },
        { reply: "↩", react: "☺", life: "⋯", link: "#" }[name]))));
}

/** Why it failed, in words and as the channel said it; what can be done. */
function failed(message, failure, mine, actions) {
  const { words, detail } = reasonOf(failure);
  const acts = [["whyFailed", actions.life], ["sendAgain", mine && message.content ? actions.again : null]].filter(([, act]) => act);
  return el("div", { class: "failed" }, el("p", { class: "fault" }, words), detail ? el("p", { class: "soft" }, detail) : null,
    acts.length ? el("p", { class: "acts" }, ...acts.map(([word, act]) => el("button", { type: "button", class: "link", onclick: () => act(message) }, say(word)))) : null);
}

function bodyOf(message, actions) {
  const parts = [];
  const { kind, file_metadata: file } = message;
  if (file) parts.push(filePart(message, file, actions.linkOf));
  if (message.content) parts.push(el("p", { class: "text" }, message.content));
  if (kind === "location" && message.location) {
    const { latitude, longitude, name, address } = message.location;
    parts.push(el("p", {}, `${[name, address].filter(Boolean).join(", ") || say("location")} (${latitude}, ${longitude})`));
  }
  if (kind === "template" && message.template) parts.push(el("p", {}, `${say("template")}: ${message.template.name}`));
  if (kind === "interactive" && message.interactive) {
    const { buttons = [], sections = [], title } = message.interactive;
    const rows = [...buttons, ...sections.flatMap((section) => section.rows ?? [])].map((one) => one.title);
    parts.push(el("p", { class: "choices" }, ...[...rows, title].filter(Boolean).map((text) => el("span", {}, text))));
  }
  if (kind === "contacts") parts.push(el("p", {}, say("contacts")));
  if (kind === "sticker") parts.push(el("p", {}, say("sticker")));
  if (kind === "reaction" && message.reaction) parts.push(el("p", { class: "big" }, message.reaction.emoji || "–"));
  if (kind === "button_reply" && !message.content) parts.push(el("p", {}, message.button_reply?.title ?? ""));
  if (kind === "unsupported") parts.push(el("p", { class: "soft" }, say("unsupported")));
  return parts;
}

function quote(id, actions) {
  const quoted = actions.find(id);
  const text = quoted ? quoted.content || quoted.file_metadata?.filename || "…" : "…";
  return el("button", { type: "button", class: "quote", onclick: () => actions.show(id) }, text);
}

function reactionsOf(message) {
  if (!message.reactions?.length) return null;
  return el("p", { class: "reactions" }, ...message.reactions.map(({ emoji, by }) => el("span", { title: nameOf(by) || String(by ?? "") }, emoji)));
}

function countsOf(message) {
  const { counts } = message;
  const total = counts ? Object.values(counts).reduce((sum, count) => sum + count, 0) : 0;
  if (total < 2) return null;
  return el("span", { class: "soft" }, ["READ", "DELIVERED", "SENT", "FAILED"].filter((word) => counts[word])
    .map((word) => `${say(word).toLowerCase()} ${counts[word]}`).join(", "));
}
