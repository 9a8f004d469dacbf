// Dead letters: filtered by reason, resolved one by one or many at once.

import { button, el } from "./elements.js";
import { table } from "./table.js";
import { say, timeOf } from "./words.js";

const PAGE = 50, UNKNOWN = "outcome-unknown"; // the channel may have the message: sent again it may come twice

/** Return {element, show()}. `tried(call)` makes a call and tells what is wrong; it resolves to null then. */
export function lettersView(api, tried) {
  let letters = [], next = null, isAll = false;
  const chosen = new Set();
  const settled = new Set(); // resolved here: a list read at once may not know it yet
  const place = el("div", { class: "table" }), told = el("p", { class: "soft", role: "status" });
  const reasons = el("select", { "aria-label": say("reason") }), many = el("div", { class: "line" });
  const all = el("input", { type: "checkbox", "aria-label": say("chooseAll") });
  const resolved = el("input", { type: "checkbox", id: "resolved" });
  const more = button(say("more"), () => load(next), { class: "quiet" });
  const element = el("div", {},
    el("div", { class: "line" }, reasons, el("label", { for: "resolved", class: "choice" }, resolved, el("span", {}, say("showResolved"))), button(say("refresh"), () => { settled.clear(); show(); }, { class: "quiet" }), many),
    told, place, more);

  all.addEventListener("change", () => {
    for (const one of shown()) if (!one.resolution) all.checked ? chosen.add(one.id) : chosen.delete(one.id);
    draw();
  });
  reasons.addEventListener("change", () => { chosen.clear(); draw(); });
  resolved.addEventListener("change", () => { isAll = resolved.checked; show(); });

  const shown = () => letters.filter((one) => !reasons.value || one.reason === reasons.value);

  async function load(cursor) {
    const answer = await tried(() => api.get("v1/admin/dead-letters", { limit: PAGE, cursor, state: isAll ? undefined : "open" }));
    if (!answer) return;
    letters = [...(cursor ? letters : []), ...answer.dead_letters].filter((one) => isAll || !settled.has(one.id));
    const open = new Set(letters.filter((one) => !one.resolution).map((one) => one.id));
    for (const id of chosen) if (!open.has(id)) chosen.delete(id); // chosen while the list was read
    next = answer.pagination.next_cursor;
    const kept = reasons.value, known = new Map(letters.map((one) => [one.reason, one.reason_text]));
    reasons.replaceChildren(el("option", { value: "" }, say("allReasons")), ...[...known.keys()].map((code) => el("option", { value: code }, code)));
    reasons.value = known.has(kept) ? kept : "";
    draw();
  }

  async function show() {
    chosen.clear();
    await load(null);
  }

  async function resolve(ones, what) {
    let done = 0;
    for (const { id, reason } of ones) {
      const body = what === "redrive" && reason === UNKNOWN ? { may_repeat: true } : {}; // the button has said so
      const answer = await tried(() => api.post(`v1/admin/dead-letters/${encodeURIComponent(id)}/${what}`, body));
      if (!answer) break;
      settled.add(id);
      done += 1;
    }
    await show();
    if (done) told.textContent = `${done} ${say(what === "redrive" ? "redriven" : "discarded")}`;
  }

  function draw() {
    const rows = shown().map((one) => [choiceOf(one), timeOf(Date.parse(one.at), true), one.topic,
      el("span", {}, one.reason_text, el("span", { class: "soft block" }, [one.reason, one.detail].filter(Boolean).join(": "))), messageOf(one), actsOf(one)]);
    const heads = [all, say("when"), say("topic"), say("reason"), say("message"), ""];
    place.replaceChildren(rows.length ? table(heads, rows) : el("p", { class: "soft" }, say("noLetters")));
    const open = shown().filter((one) => !one.resolution);
    all.checked = open.length > 0 && open.every((one) => chosen.has(one.id));
    more.hidden = !next;
    many.replaceChildren(...(chosen.size ? [
      redriving(` (${chosen.size})`, letters.filter((one) => chosen.has(one.id))),
      confirmed(`${say("discard")} (${chosen.size})`, say("sure"), () => resolve(letters.filter((one) => chosen.has(one.id)), "discard")),
    ] : []));
  }

  function choiceOf(one) {
    if (one.resolution) return "";
    const box = el("input", { type: "checkbox", checked: chosen.has(one.id), "aria-label": `${say("choose1")} ${one.id}` });
    box.addEventListener("change", () => { box.checked ? chosen.add(one.id) : chosen.delete(one.id); draw(); });
    return box;
  }

  function messageOf(one) {
    if (!one.message_id) return "";
    return el("a", { href: `#/c/${encodeURIComponent(one.conversation_id)}/m/${one.message_id}` }, say("open"));
  }

  function actsOf(one) {
    if (one.resolution) return el("span", { class: "soft" }, `${say(one.resolution.action)} · ${one.resolution.by}`);
    return el("span", { class: "line" }, redriving("", [one]), confirmed(say("discard"), say("sure"), () => resolve([one], "discard")));
  }

  function redriving(words, ones) {
    const act = () => resolve(ones, "redrive");
    return ones.some((one) => one.reason === UNKNOWN) ? confirmed(say("redrive") + words, say("mayRepeat"), act, "") : button(say("redrive") + words, act);
  }

  return { element, show };
}

/** A button that acts when it is pressed twice: what it does cannot be taken back. */
function confirmed(words, question, act, kind = "quiet") {
  const made = button(words, () => {
    if (made.dataset.sure) return act();
    made.dataset.sure = "yes";
    made.textContent = question;
    setTimeout(() => { delete made.dataset.sure; made.textContent = words; }, 4_000);
  }, { class: kind });
  return made;
}
