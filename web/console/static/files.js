// Files in messages: a picture, film or sound is shown; every file can be opened.

import { el } from "./elements.js";
import { say } from "./words.js";

const MAKERS = {
  image: (name) => el("img", { class: "preview", alt: name, loading: "lazy" }),
  video: (name) => el("video", { class: "preview", controls: true, preload: "metadata", "aria-label": name }),
  audio: (name) => el("audio", { class: "preview", controls: true, preload: "none", "aria-label": name }),
};

/** Return a size in words, such as "1.4 MB". */
export function sizeOf(bytes) {
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return bytes >= 1e3 ? `${Math.round(bytes / 1e3)} kB` : `${bytes} B`;
}

/** Return the element that shows a file of this type, without a source; null if there is none for it. */
export function previewOf(mimetype, name) {
  return mimetype?.includes("svg") ? null : MAKERS[mimetype?.split("/")[0]]?.(name) ?? null;
}

/** Return the part of a message that is its file. `linkOf(message)` resolves to {download_url}. */
export function filePart(message, file, linkOf) {
  const fault = el("span", { class: "fault" });
  const open = async () => {
    try {
      window.open((await linkOf(message)).download_url, "_blank", "noopener");
    } catch (error) {
      fault.textContent = error.message || say("unreachable");
    }
  };
  const link = el("button", { type: "button", class: "file", onclick: open }, `${file.filename} · ${sizeOf(file.size_bytes)}`);
  const shown = previewOf(file.mimetype, file.filename);
  if (shown) {
    shown.addEventListener("error", () => shown.remove());
    linkOf(message).then(({ download_url }) => (shown.src = download_url), () => shown.remove());
  }
  return el("div", { class: "attachment" }, shown, link, fault);
}
