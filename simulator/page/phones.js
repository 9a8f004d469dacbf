// Telephones: each shows what its person sees on one channel, and does what its person may do.

const LOOK_MS = 400, CHANNELS = ["whatsapp", "instagram", "telegram"], EMOJI = ["👍", "❤️", "😂"];
const people = document.getElementById("people"), phones = document.getElementById("phones");
const search = document.getElementById("search"), note = document.getElementById("note");
const open = new Map(); // "<person> <channel>" → {element, update, count}

function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

async function ask(method, path, body) {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, { method, ...json });
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.error ?? answer.statusText);
  return document;
}

const act = (person, what, body = {}) => ask("POST", `phones/${encodeURIComponent(person)}/${what}`, body)
  .then(look).catch((error) => (note.textContent = error.message));

function phone(person, channel) {
  const head = el("header"), screen = el("div", { class: "screen", role: "log" }), acts = el("div", { class: "acts" });
  const text = el("input", { placeholder: "Write as this person", "aria-label": `Write as ${person.name} on ${channel}` });
  const form = el("form", { onsubmit: (event) => {
    event.preventDefault();
    if (text.value) act(person.id, "send", { channel, text: text.value });
    text.value = "";
  } }, text, el("button", {}, "Send"));
  let drawn = "", state = "";

  function message(one) {
    const choices = one.buttons.filter((each) => each.kind !== "link").map((each) =>
      el("button", { type: "button", onclick: () => act(person.id, "press", { message_id: one.id, button: each.id || each.title }) }, each.title));
    const reactions = Object.values(one.reactions).join(" ");
    const react = one.from === "me" ? null : el("div", { class: "react" },
      ...EMOJI.map((emoji) => el("button", { type: "button", onclick: () => act(person.id, "react", { message_id: one.id, emoji }) }, emoji)),
      el("button", { type: "button", onclick: () => quote(one) }, "↩"));
    const what = one.kind === "text" ? one.text : [one.kind, one.text, place(one)].filter(Boolean).join(": ");
    return el("article", { class: `${one.from === "me" ? "mine" : ""} ${one.copy > 1 ? "again" : ""}`, tabindex: "0" },
      el("p", {}, what), choices.length ? el("div", { class: "choices" }, choices) : null,
      el("span", { class: "soft" }, [new Date(one.at_ms).toLocaleTimeString(), one.is_read && one.from !== "me" ? "read" : "", reactions,
        one.copy > 1 ? `copy ${one.copy}` : ""].filter(Boolean).join(" · ")), react);
  }

  function quote(one) {
    const words = prompt(`Answer to “${one.text.slice(0, 60)}”`);
    if (words) act(person.id, "reply", { message_id: one.id, text: words });
  }

  function switches(now) {
    const flip = (label, isOn, what, body = {}) => el("button", { type: "button", "aria-pressed": String(isOn), onclick: () => act(now.id, what, body) }, label);
    const key = now.blocked.some((each) => each.startsWith(`${channel}/`));
    const list = [
      el("button", { type: "button", onclick: () => act(now.id, "read") }, "Read all"),
      now.online ? flip("Online", true, "go-offline") : flip("Offline", false, "go-online"),
      flip("Receipts", now.receipts, "receipts", { on: !now.receipts }),
      key ? flip("Blocked", true, "unblock", { channel }) : flip("Block", false, "block", { channel }),
    ];
    if (channel === "whatsapp" && now.number) list.push(flip("Hide number", now.hides_number, "hide-number", { hidden: !now.hides_number }));
    list.push(el("button", { type: "button", onclick: () => close(now.id, channel) }, "Put away"));
    return list;
  }

  async function update() {
    const [now, { messages }] = await Promise.all([
      ask("GET", `phones/${encodeURIComponent(person.id)}`),
      ask("GET", `phones/${encodeURIComponent(person.id)}/messages?limit=1000`),
    ]);
    const mine = messages.filter((one) => one.channel === channel).slice(-200);
    const key = JSON.stringify(mine), was = JSON.stringify(now);
    if (was !== state) {
      state = was;
      const name = channel === "whatsapp" ? (now.hides_number ? now.user_id : now.number ?? now.user_id) : channel === "instagram" ? `@${now.handle ?? now.igsid}` : `chat ${now.chat_id}`;
      head.replaceChildren(el("h2", {}, now.name), el("p", { class: "soft" }, `${channel} · ${name}${now.pending ? ` · ${now.pending} waiting` : ""}`));
      acts.replaceChildren(...switches(now));
    }
    if (key === drawn) return;
    drawn = key;
    const isAtEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 60;
    screen.replaceChildren(...mine.map(message));
    if (isAtEnd) screen.scrollTop = screen.scrollHeight;
  }
  return { element: el("section", { class: `phone ${channel}`, "aria-label": `${person.name}, ${channel}` }, head, screen, acts, form), update };
}

function place(one) {
  const { latitude, longitude, name } = one.content ?? {};
  return latitude === undefined ? "" : `${name ?? ""} ${latitude}, ${longitude}`.trim();
}

function close(id, channel) {
  open.get(`${id} ${channel}`)?.element.remove();
  open.delete(`${id} ${channel}`);
}

function show(person, channel) {
  const key = `${person.id} ${channel}`;
  if (open.has(key)) return close(person.id, channel);
  const made = phone(person, channel);
  open.set(key, made);
  phones.append(made.element);
  made.update().catch((error) => (note.textContent = error.message));
}

/** The channel on which a person was last written to; WhatsApp for one with a number, else Instagram. */
async function channelOf(person) {
  const { messages } = await ask("GET", `phones/${encodeURIComponent(person.id)}/messages?limit=1000`);
  return messages.at(-1)?.channel ?? (person.number ? "whatsapp" : "instagram");
}

async function list() {
  const { phones: all } = await ask("GET", "phones?limit=200");
  const words = search.value.trim().toLowerCase();
  const found = all.filter((person) => JSON.stringify([person.name, person.number, person.handle, person.id]).toLowerCase().includes(words));
  const key = JSON.stringify(found.map((person) => [person.id, person.messages, person.pending]));
  if (people.dataset.key === key) return;
  people.dataset.key = key;
  people.replaceChildren(...found.sort((a, b) => b.messages - a.messages).map((person) => el("li", {},
    el("button", { type: "button", onclick: async () => show(person, await channelOf(person)) },
      person.name, el("span", { class: "soft" }, ` ${person.number ?? person.handle ?? ""}${person.messages ? ` · ${person.messages}` : ""}`)))));
}

async function look() {
  try {
    await Promise.all([list(), ...[...open.values()].map((one) => one.update())]);
    if (note.textContent.startsWith("The simulator")) note.textContent = "";
  } catch {
    note.textContent = "The simulator does not answer.";
  }
}

document.getElementById("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = document.getElementById("number"), words = field.value.trim();
  const body = words.startsWith("@") ? { handle: words.slice(1) } : words ? { number: words } : {};
  try {
    const person = await ask("POST", "phones", body);
    field.value = "";
    for (const channel of words.startsWith("@") ? CHANNELS.slice(1) : CHANNELS.slice(0, 1)) show(person, channel);
  } catch (error) {
    note.textContent = error.message;
  }
});
search.addEventListener("input", look);
(function again() { look().finally(() => setTimeout(again, LOOK_MS)); })();
