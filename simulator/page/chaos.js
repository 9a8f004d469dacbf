// The knobs of the chaos: a preset, shares from 0 to 100 %, an outage at once.

import { ask, el } from "./elements.js";
import { fillPage, language, say } from "./words.js";

const SHARES = [
  "unavailable_share", "throttle_share", "timeout_after_share", "timeout_before_share", "refuse_share",
  "unauthorized_share", "slow_share", "never_delivered_share", "never_read_share", "fail_later_share",
  "twice_share", "disorder_share", "drop_statuses_share", "drop_messages_share",
];
const PRESETS = ["friendly", "bad", "worst"], OUTAGE_SECONDS = 30;
const note = document.getElementById("note"), form = document.getElementById("knobs");
const base = new URL("..", location.href);

let last = Promise.resolve(); // one change after another, so that the newest one holds

/** Make the changes. `redraws` replaces all knobs, and the one in use would lose its focus. */
function set(changes, words, redraws = true) {
  last = last.then(async () => {
    try {
      const now = await ask("POST", new URL("chaos", base), changes);
      if (redraws) draw(now);
      note.textContent = words;
    } catch (error) {
      note.textContent = error.message;
    }
  });
}

function draw(now) {
  const knob = (name) => {
    const words = say(name);
    const shown = el("output", {}, `${Math.round(now[name] * 100)} %`);
    const input = el("input", { type: "range", min: 0, max: 100, value: Math.round(now[name] * 100), name, "aria-label": words });
    input.addEventListener("input", () => (shown.textContent = `${input.value} %`));
    input.addEventListener("change", () => set({ [name]: input.value / 100 }, `${words}: ${input.value} %`, false));
    return el("label", { class: "knob" }, el("span", {}, words), input, shown);
  };
  form.replaceChildren(
    el("div", { class: "acts" }, ...PRESETS.map((preset) => el("button", { type: "button", onclick: () => set({ preset }, `${say("preset")}: ${say(preset)}`) }, say(preset))),
      el("button", { type: "button", onclick: () => set({ windows: [{ kind: "unavailable", from_seconds: 0, to_seconds: OUTAGE_SECONDS }] }, `${say("downNote")} ${OUTAGE_SECONDS} s`) }, `${say("down")} ${OUTAGE_SECONDS} s`)),
    ...SHARES.map(knob));
}

const back = document.getElementById("back"), isBeside = new URLSearchParams(location.search).has("beside");
back.hidden = parent !== window && !isBeside; // the operator's page has no telephones to go back to
back.href = `..?lang=${language}${isBeside ? "&beside" : ""}`;
back.append(` ${say("back")}`);
fillPage();
form.addEventListener("submit", (event) => event.preventDefault());
ask("GET", new URL("chaos", base)).then(draw, (error) => (note.textContent = error.message));
