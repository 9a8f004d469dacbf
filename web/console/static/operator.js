// For operators: what flows, the accounts with what waits and why, the dead letters, the chaos. It needs the role admin.

import { button, el } from "./elements.js";
import { FlowView } from "./flow.js";
import { lettersView } from "./letters.js";
import { table } from "./table.js";
import { language, say, timeOf } from "./words.js";

const LOOK_MS = 1_000;

/** Return {element, close()}. `simulatorUrl`: of the simulator whose chaos is shown, empty without one. */
export function operatorView(api, simulatorUrl) {
  const fault = el("p", { class: "fault", role: "alert" }), accounts = el("div", { class: "table" });
  const flow = new FlowView(), letters = lettersView(api, tried);
  const element = el("section", { class: "operator" }, el("h1", {}, say("operator")), fault, flow.element,
    el("h2", {}, say("accounts")), accounts, el("h2", {}, say("deadLetters")), letters.element,
    ...(simulatorUrl ? [el("h2", {}, say("chaos")), el("iframe", { class: "chaos", src: `${simulatorUrl}/page/chaos.html?lang=${language}`, title: say("chaos") })] : []));
  let drawn = "", timer = null, isClosed = false;

  async function tried(call) {
    try {
      const answer = await call();
      fault.textContent = "";
      return answer;
    } catch (error) {
      if (error.status === 403) refuse();
      else fault.textContent = error.status === 0 ? say("unreachable") : error.message;
      return null;
    }
  }

  /** Without the role there is nothing to see here: say how to get it. */
  function refuse() {
    isClosed = true;
    element.replaceChildren(el("h1", {}, say("operator")), el("p", { class: "fault", role: "alert" }, say("notAdmin")),
      el("p", {}, say("becomeAdmin")), el("pre", { class: "command" }, `chat4all admin grant ${api.username}`), el("p", { class: "soft" }, say("thenRetry")), button(say("retry"), () => location.reload()));
  }

  function drawAccounts(all) {
    const key = JSON.stringify(all);
    if (key === drawn) return; // buttons keep the focus
    drawn = key;
    const act = (one) => async () => {
      await tried(() => api.post(`v1/admin/channels/${one.channel}/${encodeURIComponent(one.account)}/${one.paused ? "resume" : "pause"}`));
      await look();
    };
    const rows = all.map((one) => [
      el("strong", {}, `${one.channel} · ${one.account}`),
      el("span", { class: `state ${one.paused ? "paused" : one.breaker ?? ""}` }, one.paused ? say("paused") : say(`breaker_${(one.breaker ?? "none").replace("-", "_")}`)),
      waitingOf(one), String(one.in_flight), one.per_second ? String(one.per_second) : say("noLimit"), errorOf(one),
      button(say(one.paused ? "resume" : "pause"), act(one), { "aria-label": `${say(one.paused ? "resume" : "pause")} ${one.channel} ${one.account}` }),
    ]);
    accounts.replaceChildren(table(["account", "state", "waiting", "inFlight", "allowance", "lastError", ""].map((word) => word && say(word)), rows));
  }

  async function look() {
    const [flowed, channels] = await Promise.all([tried(() => api.get("v1/admin/flow", { since: flow.since })), tried(() => api.get("v1/admin/channels"))]);
    if (isClosed) return;
    if (channels) {
      drawAccounts(channels.accounts);
      flow.showAccounts(channels.accounts, channels.as_of);
    }
    if (flowed) flow.showFlow(flowed);
  }

  async function again() {
    if (document.visibilityState === "visible") await look();
    if (!isClosed) timer = setTimeout(again, LOOK_MS);
  }

  tried(() => api.get("v1/users/me")).then((me) => {
    if (isClosed || !me) return;
    if (!me.roles.includes("admin")) return refuse();
    again();
    letters.show();
  });
  return { element, close: () => { isClosed = true; clearTimeout(timer); } };
}

function waitingOf(one) {
  const reasons = Object.entries(one.waiting_by ?? {}).filter(([, count]) => count).map(([reason, count]) => `${reason} ${count}`);
  return reasons.length ? `${one.waiting} (${reasons.join(", ")})` : String(one.waiting);
}

function errorOf(one) {
  const last = one.last_errors.at(0);
  return last ? el("span", {}, last.detail, el("span", { class: "soft block" }, timeOf(Date.parse(last.at), true))) : "–";
}
