// The page: everybody's telephones, or three of them beside the console (?beside), told at once of what changes.

import { ask, el } from "./elements.js";
import { phone } from "./phone.js";
import { fillPage, language, say } from "./words.js";

const LOOK_MS = 2_000, CHANNELS = ["whatsapp", "instagram", "telegram"];
const TRIO = [
  ["whatsapp", { id: "ana", name: "Ana", number: "+5511999990001", handle: "ana" }],
  ["instagram", { id: "bruno", name: "Bruno", number: "+5511999990002", handle: "bruno" }],
  ["telegram", { id: "carla", name: "Carla", number: "+5511999990003", handle: "carla" }],
];
const isBeside = new URLSearchParams(location.search).has("beside");
const people = document.getElementById("people"), phones = document.getElementById("phones");
const search = document.getElementById("search"), note = document.getElementById("note");
const open = new Map(); // "<person> <channel>" → a phone

const tell = (sentence) => (note.textContent = sentence);

function put(person, channel) {
  const key = `${person.id} ${channel}`;
  if (open.has(key)) return isBeside ? choose(open.get(key)) : away(key);
  const made = phone(person, channel, {
    tell, isBeside, onOpen: isBeside ? () => choose(made) : null, onAway: isBeside ? null : () => away(key),
  });
  open.set(key, made);
  phones.append(made.element);
  made.update().catch((error) => tell(error.message));
  return made;
}

/** Beside the console one of the telephones is unfolded. */
function choose(one) {
  for (const each of open.values()) each.element.classList.toggle("folded", each !== one);
}

function away(key) {
  open.get(key)?.element.remove();
  open.delete(key);
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
    el("button", { type: "button", onclick: async () => put(person, await channelOf(person)) },
      person.name, el("span", { class: "soft" }, ` ${person.number ?? person.handle ?? ""}${person.messages ? ` · ${person.messages}` : ""}`)))));
}

/** Look at everything (`changed` empty), or at those who have changed. */
async function look(changed = []) {
  const seen = [...open.values()].filter((one) => !changed.length || changed.includes(one.id));
  try {
    await Promise.all([isBeside ? null : list(), ...seen.map((one) => one.update())]);
    if (note.textContent === say("silent")) tell(say(isBeside ? "note" : "noteAll"));
  } catch {
    tell(say("silent"));
  }
}

async function trio() {
  const { phones: all } = await ask("GET", "phones?limit=1000");
  for (const [channel, who] of TRIO) {
    // somebody who was written to before this page was opened has the number, under another id
    const isThem = (one) => one.id === who.id || (who.number && one.number === who.number) || (who.handle && one.handle === who.handle);
    const known = all.find(isThem);
    const isNameless = known && /^Person \d{4}$/.test(known.name); // the simulator's own word for one without a name
    put(isNameless ? await ask("PATCH", `phones/${encodeURIComponent(known.id)}`, { name: who.name })
      : known ?? (await ask("POST", "phones", who)), channel);
  }
  choose([...open.values()][0]);
}

document.getElementById("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = document.getElementById("number"), words = field.value.trim();
  const body = words.startsWith("@") ? { handle: words.slice(1) } : words ? { number: words } : {};
  try {
    const person = await ask("POST", "phones", body);
    field.value = "";
    for (const channel of words.startsWith("@") ? CHANNELS.slice(1) : CHANNELS.slice(0, 1)) put(person, channel);
  } catch (error) {
    tell(error.message);
  }
});
search.addEventListener("input", () => look());
document.body.classList.toggle("beside", isBeside);
fillPage();
document.getElementById("chaos").href = `page/chaos.html?lang=${language}${isBeside ? "&beside" : ""}`;
tell(say(isBeside ? "note" : "noteAll"));
if (isBeside) trio().catch((error) => tell(error.message));
new EventSource("events").onmessage = (event) => look(JSON.parse(event.data).changed);
(function again() { look().finally(() => setTimeout(again, LOOK_MS)); })();
