// Undo and redo in Augment: the queries of the states that the tab has shown.
(() => {
  const page = window.detectorPage;
  const SHORTCUT_IS_THEIRS = 'input:not([type=range], [type=radio], [type=checkbox]), textarea';
  let entries = []; // queries, the oldest first
  let at = -1; // index of the one that is shown
  let gesture = 0; // counts presses: all changes of one drag of a slider are one step
  let entryGesture = -1; // the gesture of the last entry
  let stepGesture = -1; // the gesture of the last undo or redo

  /** The photo of a query, and the rest without the large variant: what undo restores. */
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
    // Also ignored: a late answer to a change that was made before an undo.
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
    // A disabled button would lose the focus.
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
  // Input without a key or a pointer: dictated, or filled in by a program.
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
