// Many files; more can be added. props.value: a list of {path, orig_name}, with the folders they lay in.
// data-name of the zone: which field this is; data-annotations: it takes more than photos.
const page = window.detectorPage;
const zone = element.querySelector('.many-zone'),
  input = element.querySelector('input.files'),
  folder = element.querySelector('input.folder'),
  status = element.querySelector('.status');
const { name, most } = zone.dataset;
const takesAnnotations = 'annotations' in zone.dataset;

const isPhoto = (name) => !page.ANNOTATION.test(name);

/** What is there without what was left out: why was said once. */
function kept() {
  const problems = [...document.querySelectorAll(`#${name}-result [data-left-out]`)];
  const refused = new Set(problems.map((problem) => problem.dataset.leftOut));
  return (props.value || []).filter((photo) => !refused.has(photo.path));
}

function counted(files) {
  const photos = files.filter((file) => isPhoto(file.orig_name)).length;
  const others = files.length - photos;
  return `${photos} photo${photos === 1 ? '' : 's'}${others ? ` and ${others} other file${others === 1 ? '' : 's'}` : ''}`;
}

async function add(chosen) {
  const files = chosen.filter((file) => takesAnnotations || isPhoto(file.name));
  const left = chosen.length - files.length;
  const photos = files.filter((file) => isPhoto(file.name)).length;
  const there = kept().filter((file) => isPhoto(file.orig_name)).length;
  if (photos + there > Number(most)) {
    const before = there
      ? `, with the ${there} chosen before ("Start again" leaves those out)`
      : '';
    status.textContent = `${photos + there} photos are too many at once${before}: choose at most ${most}.`;
    return;
  }
  const failed = [];
  const sent = [];
  for (const [i, file] of files.entries()) {
    status.textContent = `Sending ${takesAnnotations ? 'file' : 'photo'} ${i + 1} of ${files.length} ...`;
    const orig_name = page.placeOf(file);
    try {
      const { path } = await upload(file);
      if (isPhoto(file.name)) page.ownPhotos.remember(path, { file });
      sent.push({ path, orig_name, meta: { _type: 'gradio.FileData' } });
    } catch (error) {
      failed.push(`${file.name}: ${error.message || error}`);
    }
  }
  props.value = [...kept(), ...sent];
  const words = failed.length ? [`Not sent: ${failed.join('; ')}`] : [];
  if (takesAnnotations) words.unshift(`${counted(props.value)}.`);
  if (left)
    words.push(
      `${left} annotation file${left === 1 ? '' : 's'} left out: only photos are read here.`,
    );
  status.textContent = words.join(' ');
  trigger('input');
}

/** What was left out is not in the list any more. */
function takeOut() {
  const left = kept();
  if (left.length === (props.value || []).length) return;
  const out = counted(props.value.filter((file) => !left.includes(file)));
  props.value = left;
  status.textContent = `${counted(left)}; ${out} left out.`;
}

function takeWaiting() {
  const files = page.waitingMany(name);
  if (!files) return;
  element.scrollIntoView({ block: 'center' });
  add(files);
}

element.querySelector('button.choose').addEventListener('click', () => input.click());
element.querySelector('button.folder').addEventListener('click', () => folder.click());
element.querySelector('.clear').addEventListener('click', () => {
  props.value = [];
  status.textContent = '';
  trigger('input');
});
for (const field of [input, folder]) {
  field.addEventListener('change', () => {
    const files = [...field.files].filter((file) => !file.name.startsWith('.'));
    field.value = '';
    if (files.length) add(files);
  });
}
// The field exists once its tab was opened; what was dropped before that waits for it.
page.addEventListener('many-photos', takeWaiting);
// Not in Detect: the keys of its tiles are places in the list.
if (takesAnnotations)
  page.whenThere(`#${name}-result`, (result) =>
    new MutationObserver(takeOut).observe(result, { childList: true, subtree: true }),
  );
takeWaiting();
