// The camera's picture with a box over it. props.value: {number, frame} to the server, and from it
// what demo/live.py returns for that frame, or {number, problem}. The next frame is taken when the
// answer has come, so the rate is what the server can do.
const $ = (selector) => element.querySelector(selector);
const video = $('video'),
  view = $('.view'),
  svg = $('svg'),
  status = $('.status');
const SIDE = 640; // pixels of the longer side of a frame
const LEAST_MS = 80; // between two frames
const TIMEOUT_MS = 20000; // for an answer
const canvas = document.createElement('canvas');
const REASONS = {
  NotAllowedError:
    'The browser does not allow the camera: allow it beside the address, then press again.',
  NotFoundError: 'There is no camera.',
  NotReadableError: 'The camera is in use by another program.',
};

let number = 0; // of the frame that was sent last
let sentAt = 0;
let frames = []; // times of the latest answers
let timer = 0; // of the next frame, or of the answer's timeout

function isSeen() {
  return !document.hidden && element.offsetParent !== null;
}

function stop(words = '') {
  clearTimeout(timer);
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  view.hidden = true;
  $('.end').hidden = true;
  $('.begin').hidden = false;
  status.textContent = words;
}

function send() {
  const { videoWidth: width, videoHeight: height } = video;
  if (!video.srcObject) return;
  if (!width) {
    timer = setTimeout(send, LEAST_MS);
    return;
  }
  const scale = Math.min(1, SIDE / Math.max(width, height));
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  number += 1;
  sentAt = performance.now();
  props.value = { number, frame: canvas.toDataURL('image/jpeg', 0.8) };
  trigger('input');
  timer = setTimeout(() => stop('The server does not answer: press again later.'), TIMEOUT_MS);
}

function draw({ size, bbox_xyxy: [x1, y1, x2, y2], kind, words, colour, text }) {
  svg.setAttribute('viewBox', `0 0 ${size[0]} ${size[1]}`);
  for (const rect of svg.querySelectorAll('rect')) {
    rect.setAttribute('x', x1);
    rect.setAttribute('y', y1);
    rect.setAttribute('width', Math.max(0, x2 - x1));
    rect.setAttribute('height', Math.max(0, y2 - y1));
    rect.classList.toggle('guess', kind !== 'sure');
  }
  svg.querySelector('.line').style.stroke = kind === 'sure' ? colour : '';
  const plate = $('.words');
  plate.textContent = words;
  [plate.style.background, plate.style.color] = kind === 'sure' ? [colour, text] : ['', ''];
}

function answered() {
  const value = props.value || {};
  if (!video.srcObject || value.frame || value.number !== number) return;
  clearTimeout(timer);
  if (value.problem) {
    stop(value.problem);
    return;
  }
  draw(value);
  const now = performance.now();
  frames = [...frames, now].filter((time) => now - time < 5000);
  const rate = frames.length > 1 ? (1000 * (frames.length - 1)) / (now - frames[0]) : 0;
  status.textContent = rate ? `${rate.toFixed(1)} frames a second` : '';
  timer = setTimeout(send, Math.max(0, LEAST_MS - (now - sentAt)));
}

$('.begin').addEventListener('click', async () => {
  status.textContent = 'Waiting for the camera ...';
  if (!navigator.mediaDevices) {
    stop('A browser gives a camera only to pages from https addresses and from this machine.');
    return;
  }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: 'environment', width: { ideal: 1280 } },
    });
  } catch (error) {
    stop(REASONS[error.name] || `The camera could not be opened: ${error.message}`);
    return;
  }
  if (!isSeen()) {
    stop();
    return;
  }
  video.srcObject
    .getTracks()[0]
    .addEventListener('ended', () => stop('The camera was taken away.'));
  frames = [];
  view.hidden = false;
  $('.end').hidden = false;
  $('.begin').hidden = true;
  send();
});
$('.end').addEventListener('click', () => stop());
document.addEventListener('visibilitychange', () => {
  if (video.srcObject && document.hidden) stop('Stopped, for the page was out of sight.');
});
// When another tab of the page is opened, this element is hidden and its size becomes 0.
new ResizeObserver(() => {
  if (video.srcObject && !isSeen()) stop('Stopped, for another tab was opened.');
}).observe(element);
watch('value', answered);
