// The life of a message: its hops on a timeline drawn to scale, and its state by two clocks.

import { clocks } from "./clocks.js";
import { button, el } from "./elements.js";
import { reasonOf } from "./reasons.js";
import { say, timeOf } from "./words.js";

const MARKS = [0, 0.25, 0.5, 0.75, 1], HEADROOM = 1.02;

/** Return the panel with the trace of `message`; it fills itself. */
export function lifePanel(api, message, close) {
  const panel = el("section", { class: "life", "aria-label": say("life") });
  const head = el("header", {}, el("h2", {}, say("life")), button("↻", () => fill(), { "aria-label": say("refresh"), title: say("refresh"), class: "quiet" }), button("×", close, { "aria-label": say("close"), class: "quiet" }));
  const body = el("div", { "aria-busy": "true" }, el("p", { class: "soft" }, "…"));
  panel.append(head, body);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());

  async function fill() {
    try {
      const { events, status } = await api.get(`v1/messages/${message.message_id}/trace`);
      const failure = status === "FAILED" ? reasonOf(message.failure).words : "";
      body.replaceChildren(el("p", {}, el("strong", { class: `word ${status}` }, say(status)), failure ? el("span", { class: "fault" }, ` ${failure}`) : null),
        el("p", { class: "soft" }, message.message_id), ...timeline(events, api, message));
    } catch (error) {
      body.replaceChildren(el("p", { class: "fault", role: "alert" }, error.status === 0 ? say("unreachable") : error.message));
    }
    body.removeAttribute("aria-busy");
  }

  fill();
  return panel;
}

function timeline(events, api, message) {
  if (!events.length) return [el("p", { class: "soft" }, say("noEvents"))];
  events = [...events].sort((a, b) => a.timestamp - b.timestamp);
  const begin = events[0].timestamp, endOf = (one) => one.timestamp + Math.max(0, one.duration_ms ?? 0);
  const end = Math.max(...events.map(endOf), begin + 1);
  const sent = events.find((one) => one.event === "SENT" || one.event === "FAILED");
  const spans = [["whole", end - begin], ["toSent", sent ? Math.max(1, endOf(sent) - begin) : 0]].filter(([, ms], n) => n === 0 || (ms > 0 && ms < (end - begin) / 3));
  const list = el("ol", { class: "hops" }), axis = el("div", { class: "axis soft", "aria-hidden": "true" });
  let rows = [];

  function draw(span) {
    const most = span * HEADROOM, share = (ms) => Math.min(1, (ms - begin) / most);
    axis.replaceChildren(...MARKS.map((part) => el("span", {}, spanOf(span * part))));
    rows = events.map((one, n) => row(one, events[n - 1] ?? one, begin, share));
    list.replaceChildren(...rows);
  }
  draw(spans[0][1]);
  const zoom = spans.length < 2 ? null : el("div", { class: "line" }, ...spans.map(([word, span]) => button(say(word), () => draw(span), { class: "quiet" })));
  const shade = (ms) => events.forEach((one, n) => rows[n].classList.toggle("later", one.timestamp > ms));
  return [zoom, axis, list, clocks(api, message, begin, end, shade)].filter(Boolean);
}

function row(one, before, begin, share) {
  const from = share(one.timestamp), to = share(one.timestamp + Math.max(0, one.duration_ms ?? 0));
  const bar = el("span", { class: `span ${one.event}` }), gap = el("span", { class: "gap" });
  place(bar, from, to);
  place(gap, share(before.timestamp + Math.max(0, before.duration_ms ?? 0)), from);
  const where = one.topic ? `${one.topic} [${one.partition}]${one.offset >= 0 && one.offset !== null ? ` @${one.offset}` : ""}` : "";
  const facts = [one.attempt ? `${say("attempt")} ${one.attempt}` : "", one.account, one.event === "WAITING" && one.reason ? `${say("waitsFor")} ${one.reason}` : one.reason, one.outcome,
    one.provider_status ? `${one.event === "ATTEMPT" ? "HTTP" : say("code")} ${one.provider_status}` : "", one.duration_ms >= 0 && one.duration_ms !== null ? spanOf(one.duration_ms) : "", where];
  return el("li", {},
    el("div", { class: "hop" }, el("strong", {}, say(String(one.event))), el("time", { class: "soft", title: timeOf(one.timestamp, true) }, `+${spanOf(one.timestamp - begin)}`)),
    el("div", { class: "scale" }, gap, bar),
    el("p", { class: "soft" }, facts.filter(Boolean).join(" · ")),
    one.answer ? el("details", {}, el("summary", { class: "soft" }, say("answer")), el("pre", { tabindex: "0" }, one.answer)) : null);
}

function place(bar, from, to) {
  bar.style.insetInlineStart = `${(from * 100).toFixed(2)}%`;
  bar.style.width = `${(Math.max(0, to - from) * 100).toFixed(2)}%`;
}

/** Return milliseconds in words, such as "53 ms" or "2.4 s". */
export function spanOf(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
