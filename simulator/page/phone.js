// One telephone: it shows what its person sees on one channel, and does what its person may do.

import { ask, el } from "./elements.js";
import { say } from "./words.js";

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
  const screen = el("div", { class: "screen", role: "log", tabindex: "0", "aria-label": `${person.name} ${say("sees")}` });
  const text = el("input", { placeholder: `${say("writeAs")} ${person.name}`, "aria-label": `${say("writeAs")} ${person.name} ${say("on")} ${channel}`, autocomplete: "off" });
  const answering = el("p", { class: "soft", hidden: true });
  let isAtEnd = true; // the newest message stays in sight while the screen changes its size
  screen.addEventListener("scroll", () => (isAtEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 60), { passive: true });
  new ResizeObserver(() => isAtEnd && showEnd()).observe(screen);
  let drawn = "", state = "", target = null, isAsking = false, isStale = false;

  const form = el("form", { onsubmit: (event) => {
    event.preventDefault();
    if (!text.value) return;
    if (target) act("reply", { message_id: target.id, text: text.value });
    else act("send", { channel, text: text.value });
    text.value = "";
    quote(null);
  } }, answering, text, el("button", {}, say("send")));

  function showEnd() { screen.scrollTop = screen.scrollHeight; }

  function quote(one) {
    target = one;
    answering.hidden = !one;
    answering.replaceChildren(...(one ? [`${say("answerTo")} “${one.text.slice(0, 40)}” `, el("button", { type: "button", onclick: () => quote(null), "aria-label": say("noAnswer") }, "×")] : []));
    if (one) text.focus();
  }

  function message(one) {
    const choices = one.buttons.filter((each) => each.kind !== "link").map((each) =>
      el("button", { type: "button", onclick: () => act("press", { message_id: one.id, button: each.id || each.title }) }, each.title));
    const react = one.from === "me" ? null : el("div", { class: "react" },
      ...EMOJI.map((emoji) => el("button", { type: "button", onclick: () => act("react", { message_id: one.id, emoji }) }, emoji)),
      el("button", { type: "button", title: say("answer"), "aria-label": say("answer"), onclick: () => quote(one) }, "↩"));
    const what = one.kind === "text" ? one.text : [one.kind, one.text, placeOf(one)].filter(Boolean).join(": ");
    return el("article", { class: `${one.from === "me" ? "mine" : ""} ${one.copy > 1 ? "again" : ""}`, tabindex: "0" },
      el("p", {}, what), choices.length ? el("div", { class: "choices" }, choices) : null,
      el("span", { class: "soft" }, [new Date(one.at_ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }), one.is_read && one.from !== "me" ? say("read") : "",
        Object.values(one.reactions).join(" "), one.copy > 1 ? `${say("copy")} ${one.copy}` : ""].filter(Boolean).join(" · ")), react);
  }

  function deeds(now) {
    return [
      isBeside ? el("button", { type: "button", class: "main", onclick: () => parent.postMessage({ writeTo: addressOf(now, channel) }, "*") }, say("writeTo")) : null,
      el("button", { type: "button", onclick: () => act("read") }, say("readAll")),
      el("a", { class: "button", href: `${path}/test?channel=${channel}`, download: "" }, say("save")),
      onAway ? el("button", { type: "button", onclick: onAway }, say("away")) : null,
    ].filter(Boolean);
  }

  /** What the person has switched on; `isHard` marks what keeps messages from them. */
  function switches(now) {
    const flip = (word, isOn, onclick, isHard = false) =>
      el("button", { type: "button", class: isHard ? "switch hard" : "switch", "aria-pressed": String(Boolean(isOn)), onclick }, say(word));
    const isBlocked = now.blocked.some((each) => each.startsWith(`${channel}/`));
    return [
      flip("online", now.online, () => act(now.online ? "go-offline" : "go-online")),
      flip("receipts", now.receipts, () => act("receipts", { on: !now.receipts })),
      flip("readsAlone", now.reads !== "never", () => change({ reads: now.reads === "never" ? "soon" : "never" })),
      flip("blocks", isBlocked, () => act(isBlocked ? "unblock" : "block", { channel }), true),
      channel === "whatsapp" && now.number ? flip("hides", now.hides_number, () => act("hide-number", { hidden: !now.hides_number }), true) : null,
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
      const name = addressOf(now, channel).replace(/^\w+:/, channel === "telegram" ? `${say("chat")} ` : "");
      const last = mine.at(-1);
      head.replaceChildren(el("h2", {}, onOpen ? el("button", { type: "button", class: "who" }, now.name) : now.name), el("p", { class: "soft" }, `${channel} · ${now.handle && channel !== "whatsapp" ? `@${now.handle}` : name}${now.pending ? ` · ${now.pending} ${say("waiting")}` : ""}`),
        el("p", { class: "soft last" }, last ? last.text : ""));
      // who pressed a switch by the keyboard stays on it
      const n = [...acts.querySelectorAll("button, a")].indexOf(document.activeElement);
      acts.replaceChildren(el("div", {}, deeds(now)), el("div", {}, switches(now)));
      if (n >= 0) acts.querySelectorAll("button, a")[n]?.focus();
    }
    if (key === drawn) return;
    drawn = key;
    const wasAtEnd = isAtEnd;
    screen.replaceChildren(...(mine.length ? mine.map(message) : [el("p", { class: "soft" }, emptyWords(channel, now))]));
    if (wasAtEnd) showEnd();
  }

  return { element: el("section", { class: `phone ${channel}`, "aria-label": `${person.name}, ${channel}` }, head, screen, form, acts), update, id: person.id, channel };
}

function emptyWords(channel, now) {
  if (channel === "whatsapp") return `${say("empty")} ${now.number ?? now.user_id} ${say("emptyEnd")}`;
  return `${say("first")} ${now.name}, ${say("firstEnd")}`;
}

function placeOf(one) {
  const { latitude, longitude, name } = one.content ?? {};
  return latitude === undefined ? "" : `${name ?? ""} ${latitude}, ${longitude}`.trim();
}
