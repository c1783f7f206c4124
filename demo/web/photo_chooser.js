// Choose a photo: an example, a file, with the camera, or by a drop or paste anywhere on the page.
//
// props.value: {sample, upload: {path, orig_name} or null, number, note, boxes, objects,
//   offered: {sample, upload, number, name, annotations: [{path, name}]} or null}
// The server checks the offer and accepts it, or explains in `note` why not. Its answer has the
// number of the offer. An offer of a photo that was kept in this browser has the `boxes` that were
// drawn on it, and `objects`, which the server read from its annotation.
const $ = (selector) => element.querySelector(selector);
const page = window.detectorPage;
const strip = $('.examples'),
  status = $('.status'),
  forget = $('.forget');

const first = props.value?.sample; // for an address that names no photo
let choices = 0; // how many photos were chosen; an upload is not offered after a later choice
let latest = { number: 0 }; // the last offer
let answered = 0; // the highest number of an answer
let forgotten = ''; // shown until another photo than the first example is chosen

/** PhotoChoice.key of demo/choice.py. */
const keyOf = ({ sample, upload } = {}) => sample || upload?.path || '';

function show() {
  const value = props.value || {};
  // Requests may overtake each other: the answer to an earlier offer must not stay.
  if (value.number < answered && value.number > 0 && !value.offered) return sendLatest();
  answered = Math.max(answered, value.number || 0);
  for (const tile of element.querySelectorAll('button[data-key]')) {
    const chosen = tile.dataset.key === value.sample;
    if (chosen && tile.getAttribute('aria-pressed') !== 'true') reveal(tile);
    tile.setAttribute('aria-pressed', String(chosen));
  }
  const name = value.upload?.orig_name || 'yours';
  if (!value.offered && value.sample !== first) forgotten = '';
  status.textContent = value.note || forgotten || (value.upload ? `Your photo: ${name}` : '');
  status.classList.toggle('problem', Boolean(value.note));
  // Unless the answer to a later offer is still to come.
  if (!value.offered && !(value.number > 0 && value.number < latest.number)) {
    page.dimOthers(keyOf(value));
  }
  keep(value.upload?.path, value.number > 0, value.objects);
}

/** Keep the visitor's own photo in this browser, and let it be forgotten. */
async function keep(path, chosen, objects) {
  forget.hidden = true;
  try {
    await page.ownPhotos.shown(path, chosen, objects);
    forget.hidden = !page.ownPhotos.isKept(path);
  } catch (error) {
    status.textContent += ` (a reload will lose it, for this browser keeps nothing: ${error.message})`;
  }
}

/** Scroll the strip, and not the page, until all of a tile is visible. */
function reveal(tile) {
  const gap = 40; // pixels at the edge, where the sign for more examples lies
  const inner = tile.getBoundingClientRect(),
    outer = strip.getBoundingClientRect();
  strip.scrollLeft +=
    Math.min(0, inner.left - outer.left - gap) + Math.max(0, inner.right - outer.right + gap);
}

function offer(offered) {
  choices += 1;
  forgotten = '';
  latest = { ...offered, number: latest.number + 1 };
  page.dimOthers(keyOf(latest));
  sendLatest();
}

function sendLatest() {
  props.value = { ...props.value, offered: latest, note: '' };
  trigger('input');
}

async function send(file, kept = {}, companions = []) {
  const choice = (choices += 1);
  status.classList.remove('problem');
  status.textContent = `Sending ${file.name || 'the photo'} ...`;
  page.dimOthers('');
  try {
    const { path } = await upload(file);
    page.ownPhotos.remember(path, { ...kept, file });
    const photo = { path, orig_name: file.name, meta: { _type: 'gradio.FileData' } };
    const annotations = [];
    for (const companion of companions) {
      annotations.push({ path: (await upload(companion)).path, name: companion.name });
    }
    if (choice !== choices) return;
    const { boxes = '', objects = [] } = kept;
    offer({ sample: '', upload: photo, boxes, objects, name: file.name, annotations });
  } catch (error) {
    if (choice !== choices) return;
    page.dimOthers(keyOf(props.value));
    status.classList.add('problem');
    status.textContent = `${file.name || 'The photo'} could not be sent: ${error.message || error}`;
  }
}

/**
 * Send one photo, maybe with its annotation. Pass several photos, and all files that are dropped on
 * the field for many, to that field.
 */
function take(files, many) {
  if (!files.length) return;
  const photos = files.filter((file) => !page.ANNOTATION.test(file.name));
  if (!many && (files.length === 1 || photos.length === 1)) {
    const photo = photos[0] ?? files[0];
    const companions = files.filter((file) => file !== photo);
    return send(photo, {}, companions);
  }
  // A note on an earlier file does not apply any more.
  props.value = { ...props.value, note: '' };
  show();
  page.sendMany(files);
}

function entriesOf(transfer) {
  // To be called during the event: the browser empties the list afterwards.
  const items = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return { items, files: [...transfer.files] };
}

async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    page.setPath(file, entry.fullPath);
    return [file];
  }
  const reader = entry.createReader(),
    found = [];
  for (;;) {
    const part = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!part.length) return found;
    for (const inner of part) found.push(...(await filesIn(inner)));
  }
}

async function dropped({ items, files }, many) {
  if (!items.some((entry) => entry.isDirectory)) return take(files, many);
  const found = [];
  for (const entry of items) found.push(...(await filesIn(entry)));
  take(
    found.filter((file) => !file.name.startsWith('.')),
    true,
  );
}

const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');

function over(event) {
  if (!hasFiles(event)) return;
  event.preventDefault();
  event.stopPropagation();
  event.dataTransfer.dropEffect = 'copy';
  document.body.classList.add('dropping');
}

function leave(event) {
  if (!event.relatedTarget) document.body.classList.remove('dropping');
}

function drop(event) {
  if (!hasFiles(event)) return;
  event.preventDefault();
  event.stopPropagation();
  document.body.classList.remove('dropping');
  dropped(entriesOf(event.dataTransfer), Boolean(event.target.closest?.('.many-zone')));
}

// Capturing, so that no field of the page sees them first.
window.addEventListener('dragenter', over, true);
window.addEventListener('dragover', over, true);
window.addEventListener('dragleave', leave, true);
window.addEventListener('drop', drop, true);
window.addEventListener(
  'paste',
  (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    take(files, false);
  },
  true,
);

const files = $('.files'),
  rear = $('.rear'),
  viewfinder = $('.viewfinder'),
  video = $('video');
for (const input of [files, rear]) {
  input.addEventListener('change', () => {
    take([...input.files], false);
    input.value = '';
  });
}
// Allows to choose annotations too; a phone would then offer its files instead of its photos.
if (matchMedia('(pointer: fine)').matches) files.accept += ',.xml,.txt,.json,.yaml,.yml';
$('.choose').addEventListener('click', () => files.click());

$('.camera').addEventListener('click', async () => {
  if (matchMedia('(pointer: coarse)').matches || !navigator.mediaDevices) return rear.click();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: 'environment' },
    });
    viewfinder.showModal();
  } catch (error) {
    status.classList.add('problem');
    status.textContent = `The camera could not be opened: ${error.message}`;
  }
});
viewfinder.addEventListener('close', () =>
  video.srcObject?.getTracks().forEach((track) => track.stop()),
);
$('.leave').addEventListener('click', () => viewfinder.close());
$('.shoot').addEventListener('click', () => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext('2d').drawImage(video, 0, 0);
  viewfinder.close();
  canvas.toBlob(
    (blob) => send(new File([blob], 'camera.jpg', { type: 'image/jpeg' })),
    'image/jpeg',
    0.92,
  );
});

element.addEventListener('click', (event) => {
  const tile = event.target.closest('button[data-key]');
  if (tile) offer({ sample: tile.dataset.key, upload: null });
});
forget.addEventListener('click', async () => {
  await page.ownPhotos.forget();
  offer({ sample: first, upload: null });
  forgotten = 'Forgotten: a reload will not bring your photo back.';
  show();
});
page.addEventListener('kept-photo', ({ detail }) => {
  // Unless another photo was chosen meanwhile.
  if (!choices) send(detail.file, detail);
});
/** Back and forward lead to the photo of that address. */
page.addEventListener('navigated', async ({ detail }) => {
  const { sample, upload } = props.value || {};
  const kept = detail.get('kept');
  if (detail.get('photo') === 'own') {
    const record = page.ownPhotos.keyOf(upload?.path) !== kept && (await page.ownPhotos.find(kept));
    if (record) return send(record.file, record);
  } else if ((detail.get('sample') || first) !== sample) {
    return offer({ sample: detail.get('sample') || first, upload: null });
  }
  page.renewAddress();
});
// Gradio shows a toast if the server failed: then the offer is neither accepted nor refused.
new MutationObserver(() => {
  const failed = props.value?.offered && document.querySelector('[data-testid=toast-body]');
  if (failed) page.dimOthers(keyOf(props.value));
}).observe(document.body, { childList: true, subtree: true });
page.showMore(strip);
page.oneTabStop(strip, 'button[data-key]');
watch('value', show);
show();
