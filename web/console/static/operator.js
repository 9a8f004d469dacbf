// For operators: the accounts with what waits and why, and the dead letters. It needs the role admin.

import { button, el } from "./elements.js";
import { say, timeOf } from "./words.js";

const LOOK_MS = 2_000, LETTERS = 50;

/** Return {element, close()}. */
export function operatorView(api) {
  const accounts = el("div", { class: "table" }), letters = el("div", { class: "table" });
  const fault = el("p", { class: "fault", role: "alert" });
  const element = el("section", { class: "operator" }, el("h1", {}, say("operator")), fault,
    el("h2", {}, say("accounts")), accounts,
    el("h2", {}, say("deadLetters"), " ", button(say("refresh"), () => showLetters(), { class: "quiet" })), letters);

  async function tried(call) {
    try {
      const answer = await call();
      fault.textContent = "";
      return answer;
    } catch (error) {
      fault.textContent = error.status === 403 ? say("notAdmin") : error.status === 0 ? say("unreachable") : error.message;
      if (error.status === 403) clearInterval(timer);
      return null;
    }
  }

  async function showAccounts() {
    const answer = await tried(() => api.get("v1/admin/channels"));
    if (!answer) return;
    const act = (one) => async () => {
      await tried(() => api.post(`v1/admin/channels/${one.channel}/${encodeURIComponent(one.account)}/${one.paused ? "resume" : "pause"}`));
      await showAccounts();
    };
    const rows = answer.accounts.map((one) => [
      `${one.channel} · ${one.account}`,
      el("span", { class: `state ${one.paused ? "paused" : one.breaker ?? ""}` }, one.paused ? say("paused") : one.breaker ?? "–"),
      waitingOf(one), String(one.in_flight), one.per_second ? String(one.per_second) : say("noLimit"),
      one.last_errors.at(0)?.detail ?? "", button(say(one.paused ? "resume" : "pause"), act(one)),
    ]);
    draw(accounts, ["account", "state", "waiting", "inFlight", "allowance", "reason", ""], rows);
  }

  async function showLetters() {
    const answer = await tried(() => api.get("v1/admin/dead-letters", { limit: LETTERS }));
    if (!answer) return;
    const act = (one, what) => async () => {
      await tried(() => api.post(`v1/admin/dead-letters/${encodeURIComponent(one.id)}/${what}`));
      await showLetters();
    };
    const rows = answer.dead_letters.map((one) => [
      timeOf(Date.parse(one.at), true), one.topic, one.reason_text, one.detail,
      one.resolution ? el("span", { class: "soft" }, say("resolved")) : el("span", {}, button(say("redrive"), act(one, "redrive")), button(say("discard"), act(one, "discard"), { class: "quiet" })),
    ]);
    if (rows.length) draw(letters, ["", "", "reason", "", ""], rows);
    else letters.replaceChildren(el("p", { class: "soft" }, say("noLetters")));
  }

  const timer = setInterval(() => document.visibilityState === "visible" && showAccounts(), LOOK_MS);
  showAccounts();
  showLetters();
  return { element, close: () => clearInterval(timer) };
}

function waitingOf(one) {
  const reasons = Object.entries(one.waiting_by ?? {}).filter(([, count]) => count).map(([reason, count]) => `${reason} ${count}`);
  return reasons.length ? `${one.waiting} (${reasons.join(", ")})` : String(one.waiting);
}

function draw(place, heads, rows) {
  place.replaceChildren(el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((word) => el("th", { scope: "col" }, word ? say(word) : "")))),
    el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell)))))));
}
