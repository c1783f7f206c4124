// Many photos; more can be added. props.value: a list of {path, orig_name}.
const page = window.detectorPage;
const input = element.querySelector('input'),
  status = element.querySelector('.status');

async function add(files) {
  const failed = [];
  const sent = [];
  for (const [i, file] of files.entries()) {
    status.textContent = `Sending photo ${i + 1} of ${files.length} ...`;
    try {
      const { path } = await upload(file);
      page.ownPhotos.remember(path, { file });
      sent.push({ path, orig_name: file.name, meta: { _type: 'gradio.FileData' } });
    } catch (error) {
      failed.push(`${file.name}: ${error.message || error}`);
    }
  }
  // What could not be read was said once.
  const unreadable = [...document.querySelectorAll('#many-result [data-unreadable]')];
  const refused = new Set(unreadable.map((problem) => problem.dataset.unreadable));
  const kept = (props.value || []).filter((photo) => !refused.has(photo.path));
  props.value = [...kept, ...sent];
  status.textContent = failed.length ? `Not sent: ${failed.join('; ')}` : '';
  trigger('input');
}

function takeWaiting() {
  const files = page.waitingMany();
  if (!files) return;
  element.scrollIntoView({ block: 'center' });
  add(files);
}

element.querySelector('.choose').addEventListener('click', () => input.click());
element.querySelector('.clear').addEventListener('click', () => {
  props.value = [];
  trigger('input');
});
input.addEventListener('change', () => {
  const files = [...input.files];
  input.value = '';
  if (files.length) add(files);
});
// The field exists once its tab was opened; what was dropped before that waits for it.
page.addEventListener('many-photos', takeWaiting);
takeWaiting();
