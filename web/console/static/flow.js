// What flows through the system: plots, and the balance of the ledger.

import { el } from "./elements.js";
import { Plot } from "./plot.js";
import { say } from "./words.js";

const WORDS = ["accepted", "sent", "read", "failed"];

export class FlowView {
  #since = 0;
  #rate = new Plot(say("perSecond"));
  #delays = new Plot(say("delays"), " ms");
  #lag = new Plot(say("lag"));
  #waiting = new Plot(say("waiting"));
  #flight = new Plot(say("inFlightBy"));
  #ledger = el("div", { class: "ledger", role: "status" });

  constructor() {
    const plots = [this.#rate, this.#delays, this.#lag, this.#waiting, this.#flight];
    this.element = el("div", {}, this.#ledger, el("div", { class: "plots" }, plots.map((plot) => plot.element)));
  }

  get since() { return this.#since; }

  showFlow(flow) {
    const now = Date.parse(flow.as_of) / 1000, done = Math.floor(now) - 1; // the running second is told again
    const told = new Map(flow.seconds.map((one) => [one.at, one]));
    const first = this.#since ? this.#since + 1 : Math.min(done, ...told.keys());
    for (let at = first; at <= done; at += 1) {
      const one = told.get(at);
      this.#rate.add(at, Object.fromEntries(WORDS.map((word) => [say(word.toUpperCase()).toLowerCase(), one?.[word] ?? 0])));
    }
    this.#since = done;
    const sent = flow.percentiles.SENT;
    if (sent) this.#delays.add(now, { p50: sent.p50, p95: sent.p95, p99: sent.p99 });
    const byRole = {};
    for (const { role, records } of flow.lag ?? []) byRole[role] = (byRole[role] ?? 0) + records;
    this.#lag.add(now, byRole);
    for (const plot of [this.#rate, this.#delays, this.#lag]) plot.draw(now);
    this.#showLedger(flow.ledger);
  }

  showAccounts(accounts, asOf) {
    const now = Date.parse(asOf) / 1000, name = (one) => `${one.channel} ${one.account}`;
    this.#waiting.add(now, Object.fromEntries(accounts.map((one) => [name(one), one.waiting])));
    this.#flight.add(now, Object.fromEntries(accounts.map((one) => [name(one), one.in_flight])));
    for (const plot of [this.#waiting, this.#flight]) plot.draw(now);
  }

  #showLedger(ledger) {
    if (!ledger) return this.#ledger.replaceChildren(el("p", { class: "soft" }, say("noLedger")));
    const { difference, deliveries, age_seconds: age } = ledger;
    const parts = ["sent", "failed", "dead", "unrouted", "requested", "queued"].filter((name) => deliveries[name] !== undefined).map((name) => `${deliveries[name]} ${say(`ledger_${name}`)}`);
    this.#ledger.classList.toggle("bad", difference !== 0);
    this.#ledger.replaceChildren(el("strong", {}, difference === 0 ? "0" : String(difference)),
      el("div", {}, el("p", {}, say(difference === 0 ? "ledgerGood" : "ledgerBad")),
        el("p", { class: "soft" }, `${deliveries.accepted ?? 0} ${say("ledger_accepted")} = ${parts.join(" + ")}${age === null ? "" : ` · ${Math.round(age)} s`}`)));
  }
}
