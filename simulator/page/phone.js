// One telephone: it shows what its person sees on one channel, and does what its person may do.

import { ask, el } from "./elements.js";

const EMOJI = ["👍", "❤️", "😂"], MOST_SHOWN = 200;

/** The address under which the console writes to the person; empty if only people who wrote first are reached. */
export function addressOf(person, channel) {
  if (channel === "whatsapp") return `whatsapp:${person.hides_number || !person.number ? person.user_id : person.number}`;
  return channel === "instagram" ? `instagram:${person.igsid}` : `telegram:${person.chat_id}`;
}

/** Return {element, update(), id, channel}. `tell` shows a sentence; `onOpen` is called when its head is pressed. */
export function phone(person, channel, { tell, onOpen, onAway, isBeside }) {
  const path = `phones/${encodeURIComponent(person.id)}`;
  const act = (what, body = {}) => ask("POST", `${path}/${what}`, body).then(update).catch((error) => tell(error.message));
  const head = el("header", onOpen ? { onclick: onOpen } : {}), acts = el("div", { class: "acts" });
  const screen = el("div", { class: "screen", role: "log", tabindex: "0", "aria-label": `${person.name} sees` });
  const text = el("input", { placeholder: `Write as ${person.name}`, "aria-label": `Write as ${person.name} on ${channel}`, autocomplete: "off" });
  const answering = el("p", { class: "soft", hidden: true });
  let drawn = "", state = "", target = null, isAsking = false, isStale = false;

  const form = el("form", { onsubmit: (event) => {
    event.preventDefault();
    if (!text.value) return;
    if (target) act("reply", { message_id: target.id, text: text.value });
    else act("send", { channel, text: text.value });
    text.value = "";
    quote(null);
  } }, answering, text, el("button", {}, "Send"));

  function quote(one) {
    target = one;
    answering.hidden = !one;
    answering.replaceChildren(...(one ? [`Answer to “${one.text.slice(0, 40)}” `, el("button", { type: "button", onclick: () => quote(null), "aria-label": "Do not answer this" }, "×")] : []));
    if (one) text.focus();
  }

  function message(one) {
    const choices = one.buttons.filter((each) => each.kind !== "link").map((each) =>
      el("button", { type: "button", onclick: () => act("press", { message_id: one.id, button: each.id || each.title }) }, each.title));
    const react = one.from === "me" ? null : el("div", { class: "react" },
      ...EMOJI.map((emoji) => el("button", { type: "button", onclick: () => act("react", { message_id: one.id, emoji }) }, emoji)),
      el("button", { type: "button", title: "Answer", "aria-label": "Answer", onclick: () => quote(one) }, "↩"));
    const what = one.kind === "text" ? one.text : [one.kind, one.text, placeOf(one)].filter(Boolean).join(": ");
    return el("article", { class: `${one.from === "me" ? "mine" : ""} ${one.copy > 1 ? "again" : ""}`, tabindex: "0" },
      el("p", {}, what), choices.length ? el("div", { class: "choices" }, choices) : null,
      el("span", { class: "soft" }, [new Date(one.at_ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }), one.is_read && one.from !== "me" ? "read" : "",
        Object.values(one.reactions).join(" "), one.copy > 1 ? `copy ${one.copy}` : ""].filter(Boolean).join(" · ")), react);
  }

  function switches(now) {
    const flip = (label, isOn, what, body = {}) => el("button", { type: "button", "aria-pressed": String(isOn), onclick: () => act(what, body) }, label);
    const isBlocked = now.blocked.some((each) => each.startsWith(`${channel}/`));
    return [
      el("button", { type: "button", onclick: () => act("read") }, "Read all"),
      now.online ? flip("Online", true, "go-offline") : flip("Offline", false, "go-online"),
      flip("Receipts", now.receipts, "receipts", { on: !now.receipts }),
      el("button", { type: "button", "aria-pressed": String(now.reads !== "never"), onclick: () => change({ reads: now.reads === "never" ? "soon" : "never" }) }, "Reads by itself"),
      isBlocked ? flip("Blocked", true, "unblock", { channel }) : flip("Block", false, "block", { channel }),
      channel === "whatsapp" && now.number ? flip("Hide number", now.hides_number, "hide-number", { hidden: !now.hides_number }) : null,
      isBeside ? el("button", { type: "button", onclick: () => parent.postMessage({ writeTo: addressOf(now, channel) }, "*") }, "Write to them") : null,
      el("a", { class: "button", href: `${path}/test?channel=${channel}`, download: "" }, "Save as test"),
      onAway ? el("button", { type: "button", onclick: onAway }, "Put away") : null,
    ].filter(Boolean);
  }

  const change = (body) => ask("PATCH", path, body).then(update).catch((error) => tell(error.message));

  async function update() {
    isStale = true;
    if (isAsking) return; // the running look is followed by another one
    isAsking = true;
    try {
      while (isStale) {
        isStale = false;
        draw(await ask("GET", path), (await ask("GET", `${path}/messages?limit=1000`)).messages);
      }
    } finally {
      isAsking = false;
    }
  }

  function draw(now, messages) {
    const mine = messages.filter((one) => one.channel === channel).slice(-MOST_SHOWN);
    const key = JSON.stringify(mine), was = JSON.stringify(now) + mine.length;
    if (was !== state) {
      state = was;
      const name = addressOf(now, channel).replace(/^\w+:/, channel === "telegram" ? "chat " : "");
      const last = mine.at(-1);
      head.replaceChildren(el("h2", {}, now.name), el("p", { class: "soft" }, `${channel} · ${now.handle && channel !== "whatsapp" ? `@${now.handle}` : name}${now.pending ? ` · ${now.pending} waiting` : ""}`),
        el("p", { class: "soft last" }, last ? last.text : ""));
      acts.replaceChildren(...switches(now));
    }
    if (key === drawn) return;
    drawn = key;
    const isAtEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 60;
    screen.replaceChildren(...(mine.length ? mine.map(message) : [el("p", { class: "soft" }, emptyWords(channel, now))]));
    if (isAtEnd) screen.scrollTop = screen.scrollHeight;
  }

  return { element: el("section", { class: `phone ${channel}`, "aria-label": `${person.name}, ${channel}` }, head, screen, form, acts), update, id: person.id, channel };
}

function emptyWords(channel, now) {
  if (channel === "whatsapp") return `Nothing yet. Messages to ${now.number ?? now.user_id} appear here.`;
  return `Nothing yet. On ${channel === "instagram" ? "Instagram" : "Telegram"} people write first: write something below as ${now.name}, then answer in the console.`;
}

function placeOf(one) {
  const { latitude, longitude, name } = one.content ?? {};
  return latitude === undefined ? "" : `${name ?? ""} ${latitude}, ${longitude}`.trim();
}
