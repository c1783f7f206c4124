// Choose a photo: by name, by file, by the camera, or by a drop or paste anywhere on the page.
//
// props.value: {sample, upload: {path, orig_name} or null, number, note, boxes, objects,
//   offered: {sample, upload, number, name, annotations: [{path, name}]} or null}
// The server checks what is offered and takes it over, or says in `note` why not. Its answer has the
// number of the offer. An offer of a photo that was kept in this browser has the `boxes` that were
// drawn on it, and `objects`, which the server read from its annotation.
const $ = (selector) => element.querySelector(selector);
const page = window.detectorPage;
const strip = $('.examples'),
  status = $('.status'),
  forget = $('.forget');

const first = props.value?.sample; // of an address that names none
let latest = { number: 0 }; // what was offered last
let answered = 0; // the highest number an answer had
let forgotten = ''; // shown until another photo than the first example is chosen

/** As demo/choice.py names it. */
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
  // Unless a later offer is still on its way.
  if (!value.offered && !(value.number > 0 && value.number < latest.number)) {
    page.wants(keyOf(value));
  }
  keep(value.upload?.path, value.number > 0, value.objects);
}

/** What is shown stays in this browser; a photo of the visitor's own can be forgotten. */
async function keep(path, chosen, objects) {
  forget.hidden = true;
  try {
    await page.ownPhotos.shown(path, chosen, objects);
    forget.hidden = !page.ownPhotos.isKept(path);
  } catch (error) {
    status.textContent += ` (a reload will lose it, for this browser keeps nothing: ${error.message})`;
  }
}

/** Scroll the strip, and never the page, until all of a tile is seen. */
function reveal(tile) {
  const gap = 40; // what says that there is more lies over the edge
  const inner = tile.getBoundingClientRect(),
    outer = strip.getBoundingClientRect();
  strip.scrollLeft +=
    Math.min(0, inner.left - outer.left - gap) + Math.max(0, inner.right - outer.right + gap);
}

function offer(offered) {
  forgotten = '';
  latest = { ...offered, number: latest.number + 1 };
  page.wants(keyOf(latest));
  sendLatest();
}

function sendLatest() {
  props.value = { ...props.value, offered: latest, note: '' };
  trigger('input');
}

async function send(file, kept = {}, beside = []) {
  status.classList.remove('problem');
  status.textContent = `Sending ${file.name || 'the photo'} ...`;
  page.wants('');
  try {
    const { path } = await upload(file);
    page.ownPhotos.remember(path, { ...kept, file });
    const photo = { path, orig_name: file.name, meta: { _type: 'gradio.FileData' } };
    const annotations = [];
    for (const one of beside) {
      annotations.push({ path: (await upload(one)).path, name: one.name });
    }
    const { boxes = '', objects = [] } = kept;
    offer({ sample: '', upload: photo, boxes, objects, name: file.name, annotations });
  } catch (error) {
    page.wants(keyOf(props.value));
    status.classList.add('problem');
    status.textContent = `${file.name || 'The photo'} could not be sent: ${error.message || error}`;
  }
}

/**
 * One file is the photo, which may have its annotation with it; several photos, or whatever is
 * dropped on the field for many, go there.
 */
function take(files, many) {
  if (!files.length) return;
  const photos = files.filter((file) => !page.ANNOTATION.test(file.name));
  if (files.length === 1 && !many) return send(files[0]);
  if (photos.length === 1 && !many) {
    return send(
      photos[0],
      {},
      files.filter((file) => file !== photos[0]),
    );
  }
  // What was said of a file before is over.
  props.value = { ...props.value, note: '' };
  show();
  page.sendMany(files);
}

function entriesOf(transfer) {
  // While the event is handled: the browser empties the list afterwards.
  const items = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return { items, files: [...transfer.files] };
}

async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    page.cameFrom(file, entry.fullPath);
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

// Before any field of the page sees it.
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
// Its annotation too; a phone would offer its files instead of its photos.
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
  // Unless another one was chosen meanwhile.
  if (latest.number === 0) send(detail.file, detail);
});
/** Back and forward lead to the photo that was there, not to the one that is shown now. */
page.addEventListener('went', async ({ detail }) => {
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
// Gradio says in a toast that the server failed: what was offered is neither taken nor refused.
new MutationObserver(() => {
  const failed = props.value?.offered && document.querySelector('[data-testid=toast-body]');
  if (failed) page.wants(keyOf(props.value));
}).observe(document.body, { childList: true, subtree: true });
page.showMore(strip);
page.oneTabStop(strip, 'button[data-key]');
watch('value', show);
show();
