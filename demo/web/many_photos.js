// A field for many files, to which more can be added. props.value: a list of {path, orig_name};
// orig_name includes folders. Attributes of the zone: data-name is the name of the field, and with
// data-annotations it takes annotation files as well.
const page = window.detectorPage;
const zone = element.querySelector('.many-zone'),
  input = element.querySelector('input.files'),
  folder = element.querySelector('input.folder'),
  status = element.querySelector('.status');
const { name, most } = zone.dataset;
const takesAnnotations = 'annotations' in zone.dataset;

const isPhoto = (name) => !page.ANNOTATION.test(name);

/** The files without those that the server refused; the result says why, once. */
function kept() {
  const problems = [...document.querySelectorAll(`#${name}-result [data-left-out]`)];
  const refused = new Set(problems.map((problem) => problem.dataset.leftOut));
  return (props.value || []).filter((file) => !refused.has(file.path));
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
  const present = kept().filter((file) => isPhoto(file.orig_name)).length;
  if (photos + present > Number(most)) {
    const before = present
      ? `, with the ${present} chosen before ("Start again" leaves those out)`
      : '';
    status.textContent = `${photos + present} photos are too many at once${before}: choose at most ${most}.`;
    return;
  }
  const failed = [];
  const uploads = [];
  for (const [i, file] of files.entries()) {
    status.textContent = `Sending ${takesAnnotations ? 'file' : 'photo'} ${i + 1} of ${files.length} ...`;
    const orig_name = page.pathOf(file);
    try {
      const { path } = await upload(file);
      if (isPhoto(file.name)) page.ownPhotos.remember(path, { file });
      uploads.push({ path, orig_name, meta: { _type: 'gradio.FileData' } });
    } catch (error) {
      failed.push(`${file.name}: ${error.message || error}`);
    }
  }
  props.value = [...kept(), ...uploads];
  const words = failed.length ? [`Not sent: ${failed.join('; ')}`] : [];
  if (takesAnnotations) words.unshift(`${counted(props.value)}.`);
  if (left)
    words.push(
      `${left} annotation file${left === 1 ? '' : 's'} left out: only photos are read here.`,
    );
  status.textContent = words.join(' ');
  trigger('input');
}

/** Remove files that the server refused from the list. */
function removeRefused() {
  const rest = kept();
  if (rest.length === (props.value || []).length) return;
  const refused = counted(props.value.filter((file) => !rest.includes(file)));
  props.value = rest;
  status.textContent = `${counted(rest)}; ${refused} left out.`;
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
// The field exists only after its tab was opened; files dropped before wait for it.
page.addEventListener('many-photos', takeWaiting);
// Not in Detect, where the keys of tiles are indexes of the list.
if (takesAnnotations)
  page.whenThere(`#${name}-result`, (result) =>
    new MutationObserver(removeRefused).observe(result, { childList: true, subtree: true }),
  );
takeWaiting();
