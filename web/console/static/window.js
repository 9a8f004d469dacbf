// The reply window of a person on a channel, counted down.

import { el } from "./elements.js";
import { say } from "./words.js";

const LOOK_MS = 1_000, HOUR_MS = 3_600_000, MINUTE_MS = 60_000;

/** Return {element, close()} for the others of a conversation, or null if none of them has a window. */
export function windowNotice(others) {
  const windows = others.filter((party) => party.window).map((party) => Date.parse(party.window.open_until ?? "") || 0);
  if (!windows.length) return null;
  const element = el("p", { class: "window" });
  const until = Math.min(...windows);
  const show = () => {
    const left = until - Date.now();
    element.classList.toggle("closed", until > 0 && left <= 0);
    element.textContent = until === 0 ? say("windowUnknown") : left > 0 ? `${say("windowOpen")} ${spanOf(left)}` : say("windowClosed");
  };
  show();
  const timer = setInterval(show, LOOK_MS);
  return { element, close: () => clearInterval(timer) };
}

/** Return a span of time in words, such as "23 h 12 min"; seconds in the last five minutes. */
export function spanOf(ms) {
  const hours = Math.floor(ms / HOUR_MS), minutes = Math.floor((ms % HOUR_MS) / MINUTE_MS), seconds = Math.floor((ms % MINUTE_MS) / 1000);
  if (hours) return `${hours} h ${minutes} min`;
  return minutes >= 5 ? `${minutes} min` : `${minutes} min ${seconds} s`;
}
