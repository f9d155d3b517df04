// A photo from the camera of this device.

import { el, icon } from "./visage.js";

const REFUSED = {
  NotAllowedError: "The camera was not allowed. Allow it for this page in the browser's address bar, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "The camera is in use by another program. Close that, then try again.",
};

/** A File with one frame; null where it was given up. */
export function takePhoto() {
  const video = el("video", { autoplay: true, playsinline: true, "aria-label": "What the camera sees" });
  video.muted = true;
  const said = el("div", { role: "alert" });
  const cancel = el("button", { type: "button", class: "quiet" }, "Cancel");
  const take = el("button", { type: "button", class: "primary", disabled: true }, icon("camera"), "Take the photo");
  const box = el("dialog", { class: "camera", "aria-label": "Camera" },
    el("div", { class: "stack" }, video, said, el("div", { class: "row end" }, cancel, take)));
  document.body.append(box);
  return new Promise((resolve) => {
    let stream = null;
    let photo = null;
    cancel.addEventListener("click", () => box.close());
    take.addEventListener("click", async () => {
      photo = await frameOf(video);
      box.close();
    });
    box.addEventListener("close", () => {
      if (stream) stop(stream);
      stream = "closed";
      box.remove();
      resolve(photo);
    });
    box.showModal();
    open().then((opened) => {
      if (stream === "closed") {
        stop(opened);
        return;
      }
      stream = opened;
      video.srcObject = opened;
      video.addEventListener("loadeddata", () => {
        take.disabled = false;
        take.focus();
      }, { once: true });
    }).catch((error) => {
      video.hidden = true;
      const text = REFUSED[error.name] ?? "The camera cannot be used here. Choose a file instead.";
      said.append(el("div", { class: "notice bad" }, icon("warning"), el("p", {}, text)));
    });
  });
}

/** Rejects where there is none, where it is refused, and where the page did not come over a secure connection. */
async function open() {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no secure connection", "InsecureError");
  return navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1920 } } });
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

async function frameOf(video) {
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return blob && new File([blob], "camera.jpg", { type: "image/jpeg" });
}
