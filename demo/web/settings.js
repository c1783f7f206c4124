// Behaviour of the settings of Augment while they are changed; folds on a phone.
(() => {
  const page = window.detectorPage;
  const SHOWN_FOR = 1500; // milliseconds after the last change was drawn
  const DRAWN_WITHIN = 6000; // milliseconds; nothing is drawn if the picture stays the same
  let name = ''; // of the setting that was changed last
  let held = false; // whether a mouse or a finger holds it
  let timer = null;

  page.touched = () => name;

  /** The name of the setting whose field this is; empty for other fields. */
  function settingOf(field) {
    const block = field.closest?.('#augment-settings .block[id^="augment-"]');
    return block && field.matches('input') ? block.id.slice('augment-'.length) : '';
  }

  const pair = () => document.querySelector('#augment-pair');

  function end() {
    clearTimeout(timer);
    if (held) return;
    name = '';
    pair()?.classList.remove('touched');
  }

  function wait(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(end, milliseconds);
  }

  function show() {
    const shown = document.querySelector('#augment-alone .alone');
    const isThere = Boolean(name) && shown?.dataset.setting === name;
    pair()?.classList.toggle('touched', isThere);
    return isThere;
  }

  function hear(event) {
    const setting = settingOf(event.target);
    if (!setting) return;
    name = setting;
    wait(DRAWN_WITHIN);
    show(); // the present picture may be of another setting
  }

  window.addEventListener('input', hear, true);
  window.addEventListener(
    'pointerdown',
    (event) => {
      held = Boolean(settingOf(event.target));
    },
    true,
  );
  for (const kind of ['pointerup', 'pointercancel']) {
    window.addEventListener(
      kind,
      () => {
        held = false;
        if (name) wait(show() ? SHOWN_FOR : DRAWN_WITHIN);
      },
      true,
    );
  }
  page.whenThere('#augment-alone', (place) =>
    new MutationObserver(() => show() && wait(SHOWN_FOR)).observe(place, {
      childList: true,
      subtree: true,
    }),
  );

  // Parts of an address that are about one photo; the check of the whole set does not depend on them.
  const OF_ONE_PHOTO = ['sample', 'photo', 'variant', 'boxes', 'box', 'count', 'threshold'];
  function settingsIn(query) {
    const settings = new URLSearchParams(query);
    for (const part of OF_ONE_PHOTO) settings.delete(part);
    return String(settings);
  }
  const setOutdated = (on) => document.querySelector('#audit')?.classList.toggle('outdated', on);
  page.addEventListener('shows', ({ detail: { tab, query } }) => {
    if (tab !== 'augment') return;
    const counted = document.querySelector('#audit-shown [data-counted]')?.dataset.counted;
    setOutdated(counted !== undefined && settingsIn(counted) !== settingsIn(query));
  });
  window.addEventListener('click', ({ target }) => {
    if (target.closest('#audit-count, #audit-again')) setOutdated(false);
  });

  // A number field that is emptied to type another number is no change yet, and one that is left
  // empty gets its last number back. Gradio would take empty for the minimum.
  const numbers = new WeakMap(); // field -> its last number
  const isNumber = (field) => field.matches?.('input[type=number]');

  window.addEventListener('focusin', ({ target }) => {
    if (isNumber(target) && target.value) numbers.set(target, target.value);
  });
  window.addEventListener(
    'input',
    (event) => {
      if (!isNumber(event.target)) return;
      if (event.target.value) numbers.set(event.target, event.target.value);
      else event.stopImmediatePropagation();
    },
    true,
  );
  for (const kind of ['change', 'blur']) {
    window.addEventListener(
      kind,
      (event) => {
        if (!isNumber(event.target) || event.target.value) return;
        event.stopImmediatePropagation();
        event.target.value = numbers.get(event.target) ?? '';
      },
      true,
    );
  }

  document.addEventListener('click', ({ target }) => {
    const button = target.closest?.('.fold');
    if (!button) return;
    button.setAttribute('aria-expanded', String(button.getAttribute('aria-expanded') !== 'true'));
  });
  // An address that names a cell of the confusion matrix opens the matrix.
  page.whenThere('#fold-confusion .fold', (button) => {
    if (new URLSearchParams(location.search).has('cell'))
      button.setAttribute('aria-expanded', 'true');
  });
})();
