// The knobs of the chaos: a preset, shares from 0 to 100 %, an outage at once.

import { ask, el } from "./elements.js";

const SHARES = [
  ["unavailable_share", "The provider is down (503)"], ["throttle_share", "Too many requests (429)"], ["timeout_after_share", "No answer, though taken"],
  ["timeout_before_share", "No answer, not taken"], ["refuse_share", "Refused for good"], ["unauthorized_share", "Token refused (401)"],
  ["slow_share", "Slow answers"], ["never_delivered_share", "Never delivered"], ["never_read_share", "Never read"], ["fail_later_share", "Fails after SENT"],
  ["twice_share", "Receipts twice"], ["disorder_share", "READ before DELIVERED"], ["drop_statuses_share", "Receipts lost"], ["drop_messages_share", "People's messages lost"],
];
const PRESETS = ["friendly", "bad", "worst"], OUTAGE_SECONDS = 30;
const note = document.getElementById("note"), form = document.getElementById("knobs");
const base = new URL("..", location.href);

async function set(changes, words) {
  try {
    draw(await ask("POST", new URL("chaos", base), changes));
    note.textContent = words;
  } catch (error) {
    note.textContent = error.message;
  }
}

function draw(now) {
  const knob = ([name, words]) => {
    const shown = el("output", {}, `${Math.round(now[name] * 100)} %`);
    const input = el("input", { type: "range", min: 0, max: 100, value: Math.round(now[name] * 100), name, "aria-label": words });
    input.addEventListener("input", () => (shown.textContent = `${input.value} %`));
    input.addEventListener("change", () => set({ [name]: input.value / 100 }, `${words}: ${input.value} %`));
    return el("label", { class: "knob" }, el("span", {}, words), input, shown);
  };
  form.replaceChildren(
    el("div", { class: "acts" }, ...PRESETS.map((preset) => el("button", { type: "button", onclick: () => set({ preset }, `Preset: ${preset}`) }, preset)),
      el("button", { type: "button", onclick: () => set({ windows: [{ kind: "unavailable", from_seconds: 0, to_seconds: OUTAGE_SECONDS }] }, `Everything is down for ${OUTAGE_SECONDS} s`) }, `Down for ${OUTAGE_SECONDS} s`)),
    ...SHARES.map(knob));
}

form.addEventListener("submit", (event) => event.preventDefault());
ask("GET", new URL("chaos", base)).then(draw, (error) => (note.textContent = error.message));
