// One camera for the whole page. What is shown is mirrored, as people know themselves; what is taken is not.

const WORDS = {
  NotAllowedError: "The browser may not use the camera. Allow it beside the address, or drop pictures instead.",
  NotFoundError: "There is no camera here. Drop pictures onto the gestures instead.",
  NotReadableError: "Another program uses the camera. Close it, or drop pictures instead.",
};

let stream = null;
const screens = new Set();

/** Whether it is on. */
export const isOn = () => stream !== null;

/** Turn it on and show it on a video element; throws one sentence. */
export async function show(video) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("Browsers give the camera only to pages of this machine (or https). Drop pictures instead.");
  }
  if (stream === null) {
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
        audio: false,
      });
    } catch (error) {
      throw new Error(WORDS[error.name] ?? "The camera cannot be used. Drop pictures instead.");
    }
    stream.getVideoTracks()[0].addEventListener("ended", off);
  }
  screens.add(video);
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
}

/** Take it off one video element; the camera goes out with the last. */
export function hide(video) {
  screens.delete(video);
  video.srcObject = null;
  video.hidden = true;
  if (screens.size === 0 && stream !== null) {
    stream.getTracks().forEach((track) => track.stop());
    stream = null;
  }
}

function off() {
  for (const video of [...screens]) {
    hide(video);
    video.dispatchEvent(new Event("cameraoff"));
  }
}

/** The middle square of what a video element shows, unmirrored, as a JPEG. */
export function take(video, size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const side = Math.min(video.videoWidth, video.videoHeight);
  const pen = canvas.getContext("2d");
  pen.drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, size, size);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
