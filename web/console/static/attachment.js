// The file of a message that is being written: it is uploaded at once, with its progress, and can be paused or removed.

import { button, el } from "./elements.js";
import { previewOf, sizeOf } from "./files.js";
import { Upload } from "./uploads.js";
import { say } from "./words.js";

/** Return {element, file, result, close(), finish()}; `onRemove` is called when the user takes the file away. */
export function attachment(api, conversationId, file, onRemove) {
  const upload = new Upload(api, conversationId, file);
  const shown = previewOf(file.type, file.name), url = shown ? URL.createObjectURL(file) : "";
  if (shown) shown.src = url;
  const progress = el("progress", { max: 1, value: 0, "aria-label": `${say("uploading")} ${file.name}` });
  const state = el("span", { class: "soft", role: "status" });
  const pause = button(say("pause"), () => (upload.state === "paused" ? upload.resume() : upload.pause()), { class: "quiet" });
  const remove = button("×", () => { upload.cancel(); onRemove(); }, { "aria-label": `${say("remove")} ${file.name}`, class: "quiet" });
  const element = el("div", { class: "attached" }, shown,
    el("div", {}, el("strong", {}, file.name), el("span", { class: "soft" }, ` ${sizeOf(file.size)} `), progress, state), pause, remove);

  function show() {
    progress.value = upload.share;
    const words = { going: `${Math.round(upload.share * 100)} %`, waiting: say("uploadWaits"), paused: say("paused"), done: say("uploaded"), failed: say("uploadFailed") };
    if (state.textContent !== words[upload.state]) state.textContent = words[upload.state] ?? "";
    pause.textContent = say(upload.state === "paused" ? "resume" : "pause");
    pause.hidden = upload.state === "done" || upload.state === "failed";
    progress.hidden = upload.state === "done" || upload.state === "failed";
  }

  upload.addEventListener("change", show);
  show();
  const finish = () => { if (url) URL.revokeObjectURL(url); };
  return { element, file, get result() { return upload.result; }, finish, close() { upload.pause(); finish(); } };
}
