// Undo and redo in Augment: what the server said the tab shows, one after the other.
(() => {
  const page = window.detectorPage;
  const SHORTCUT_IS_THEIRS = 'input:not([type=range], [type=radio], [type=checkbox]), textarea';
  let entries = []; // queries, the oldest first
  let at = -1; // the one that is shown
  let gesture = 0; // counts presses: what one drag of a slider changes is one step
  let entryGesture = -1; // the gesture of the last entry
  let stepGesture = -1; // the gesture of the last undo or redo

  /** A query without what undo leaves alone: which variant is shown large, and the photo. */
  function parts(query) {
    const edited = new URLSearchParams(query);
    const photo = edited.get('sample') ?? edited.get('photo');
    for (const name of ['variant', 'sample', 'photo']) edited.delete(name);
    return { photo, edits: edited.toString() };
  }

  function forget() {
    entries = [];
    at = -1;
    showButtons();
  }

  function shows({ detail: { tab, query } }) {
    if (tab !== 'augment') return;
    const now = parts(query);
    if (at >= 0 && parts(entries[at]).photo !== now.photo) forget();
    // A later answer to something that was done before an undo is shown next to nothing new.
    if (at >= 0 && (parts(entries[at]).edits === now.edits || gesture === stepGesture)) return;
    entries.splice(at + 1);
    if (entries.length > 1 && gesture === entryGesture) entries.pop();
    at = entries.push(query) - 1;
    entryGesture = gesture;
    showButtons();
  }

  function showButtons() {
    const [undo, redo] = ['undo', 'redo'].map((name) => document.querySelector(`#augment-${name}`));
    if (undo) undo.disabled = at < 1;
    if (redo) redo.disabled = at >= entries.length - 1;
    // The focus does not get lost with the last step.
    const focused = document.activeElement;
    if (focused === undo && undo?.disabled) redo.focus();
    if (focused === redo && redo?.disabled) undo.focus();
  }

  page.step = (by) => {
    const query = entries[at + by];
    if (!query) return '';
    at += by;
    stepGesture = gesture;
    entryGesture = -1;
    showButtons();
    return query;
  };

  function key(event) {
    if (!event.repeat) gesture += 1;
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const letter = event.key.toLowerCase();
    if (letter !== 'z' && letter !== 'y') return;
    const back = letter === 'z' && !event.shiftKey;
    const button = document.querySelector(`#augment-${back ? 'undo' : 'redo'}`);
    if (!button?.checkVisibility() || event.target.closest(SHORTCUT_IS_THEIRS)) return;
    event.preventDefault();
    button.click();
  }

  window.addEventListener(
    'pointerdown',
    () => {
      gesture += 1;
    },
    true,
  );
  window.addEventListener('keydown', key, true);
  // Dictated, or filled in by a program: without a key or a pointer.
  window.addEventListener(
    'input',
    () => {
      if (gesture === stepGesture) gesture += 1;
    },
    true,
  );
  document.addEventListener('click', ({ target }) => {
    if (target.closest?.('#augment-unpin')) document.querySelector('#augment-pin').focus();
  });
  page.addEventListener('shows', shows);
  page.addEventListener('photo-replaced', forget);
})();
