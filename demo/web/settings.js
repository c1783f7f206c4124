// What happens in the page while a setting is changed, and what folds on a phone.
(() => {
  const page = window.detectorPage;
  const SHOWN_FOR = 1500; // milliseconds after the last change was drawn
  const DRAWN_WITHIN = 6000; // milliseconds; nothing comes if the picture stays the same
  let name = ''; // of the setting that was touched last
  let held = false; // by a mouse or a finger
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
    show(); // what is there may be of another setting
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

  // What addresses say of one photo, which a count of the whole set does not depend on.
  const OF_ONE_PHOTO = ['sample', 'photo', 'variant', 'boxes', 'box', 'count', 'threshold'];
  function settingsIn(query) {
    const settings = new URLSearchParams(query);
    for (const each of OF_ONE_PHOTO) settings.delete(each);
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

  // A number field that is emptied to type another number says nothing yet, and what was there is
  // there again when it is left empty. Gradio would take it for the least.
  const numbers = new WeakMap(); // field -> what it last said
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
  // A link to the photos behind a cell shows them.
  page.whenThere('#fold-confusion .fold', (button) => {
    if (new URLSearchParams(location.search).has('cell'))
      button.setAttribute('aria-expanded', 'true');
  });
})();
