// The life of a message: each hop on a timeline drawn to scale, and a slider over time.

import { button, el } from "./elements.js";
import { say, timeOf } from "./words.js";

const WIDTH = 100; // percent

/** Return the panel with the trace of `message`. */
export async function lifePanel(api, message, close) {
  const panel = el("section", { class: "life", "aria-label": say("life") });
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
  const head = el("header", {}, el("h2", {}, say("life")), button("×", close, { "aria-label": say("close"), class: "quiet" }));
  try {
    const { events, status } = await api.get(`v1/messages/${message.message_id}/trace`);
    panel.append(head, el("p", { class: "soft" }, `${say(status)} · ${message.message_id}`), ...timeline(events));
  } catch (error) {
    panel.append(head, el("p", { class: "fault", role: "alert" }, error.message));
  }
  return panel;
}

function timeline(events) {
  if (!events.length) return [el("p", { class: "soft" }, say("noEvents"))];
  events = [...events].sort((a, b) => a.timestamp - b.timestamp);
  const begin = events[0].timestamp, end = Math.max(...events.map((one) => one.timestamp + Math.max(0, one.duration_ms ?? 0)), begin + 1);
  const share = (ms) => ((ms - begin) / (end - begin)) * WIDTH;
  const rows = events.map((one) => row(one, begin, share));
  const label = el("output", { class: "soft" });
  const slider = el("input", { type: "range", min: begin, max: end, value: end, step: 1, "aria-label": say("asOf") });
  const show = () => {
    const at = Number(slider.value);
    label.textContent = `${say("asOf")} ${timeOf(at, true)}`;
    events.forEach((one, n) => rows[n].classList.toggle("later", one.timestamp > at));
  };
  slider.addEventListener("input", show);
  show();
  return [el("ol", { class: "hops" }, rows), slider, label];
}

function row(one, begin, share) {
  const wide = Math.max(0.8, share(one.timestamp + Math.max(0, one.duration_ms ?? 0)) - share(one.timestamp));
  const bar = el("span", { class: `span ${one.event}` });
  bar.style.marginInlineStart = `${Math.min(share(one.timestamp), WIDTH - wide)}%`;
  bar.style.width = `${wide}%`;
  const place = one.topic ? `${one.topic}[${one.partition}]${one.offset === null || one.offset === undefined ? "" : `@${one.offset}`}` : "";
  const more = [one.attempt ? `${say("attempt")} ${one.attempt}` : "", one.recipient_id, one.reason, one.outcome, one.provider_status,
    one.duration_ms >= 0 ? `${one.duration_ms} ms` : "", place];
  return el("li", {},
    el("div", { class: "hop" }, el("strong", {}, say(String(one.event))), el("time", { class: "soft", title: timeOf(one.timestamp, true) }, `+${one.timestamp - begin} ms`)),
    el("div", { class: "scale" }, bar),
    el("p", { class: "soft" }, more.filter(Boolean).join(" · ")),
    one.answer ? el("pre", {}, one.answer) : null);
}
