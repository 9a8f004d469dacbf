// The state of a message by two clocks: what had happened by a moment, and what the log knew by a moment.

import { el } from "./elements.js";
import { reasonOf } from "./reasons.js";
import { say, timeOf } from "./words.js";

const PAUSE_MS = 120, MARGIN_MS = 200;

/** Return the sliders from `begin` to `end` (epoch milliseconds). `shade(ms)`: show what came later as such. */
export function clocks(api, message, begin, end, shade) {
  const last = end + MARGIN_MS;
  const answer = el("output", { class: "answer" });
  const happened = clock("asOf"), known = clock("knownAt");
  let asked = 0, timer = null;

  function clock(word) {
    const label = el("span", {}), id = `clock-${word}`;
    const slider = el("input", { type: "range", id, min: begin - MARGIN_MS, max: last, value: last, step: 1 });
    slider.addEventListener("input", () => { show(); later(); });
    const moment = () => (Number(slider.value) >= last ? null : Number(slider.value));
    const draw = () => {
      label.textContent = moment() === null ? say("now") : timeOf(moment(), true);
      slider.setAttribute("aria-valuetext", label.textContent);
    };
    return { element: el("div", {}, el("label", { for: id }, say(word), " ", label), slider), moment, draw };
  }

  function show() {
    happened.draw();
    known.draw();
    shade(Math.min(happened.moment() ?? Infinity, known.moment() ?? Infinity));
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  }

  async function ask() {
    const mine = (asked += 1), iso = (ms) => (ms === null ? undefined : new Date(ms).toISOString());
    let words;
    try {
      const past = await api.get(`v1/messages/${message.message_id}`, { as_of: iso(happened.moment()), known_at: iso(known.moment()) });
      words = [say(past.status), reasonOf(past.failure).words].filter(Boolean).join(": ");
    } catch (error) {
      words = error.status === 404 ? say("notYet") : error.status === 0 ? say("unreachable") : error.message;
    }
    if (mine === asked) answer.textContent = words;
  }

  show();
  ask();
  return el("fieldset", { class: "clocks" }, el("legend", {}, say("clocks")), happened.element, known.element, el("p", {}, say("thenItWas"), " ", answer));
}
