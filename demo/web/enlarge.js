// Pictures enlarge: steps and extremes open in the picture after, any picture in a dialog.
(() => {
  const FIGURES = 'figure.photo:not(.turning)'; // that has no stage
  let shown = []; // figures the arrows go through
  let at = 0;
  let dialog = null;
  let looked = null; // {tile, place, before}: what is shown in the place of the picture after

  function made() {
    dialog = document.createElement('dialog');
    dialog.className = 'enlarged';
    dialog.setAttribute('aria-label', 'Picture');
    dialog.innerHTML =
      '<button type="button" data-by="-1" aria-label="Previous picture">‹</button>' +
      '<div class="picture"></div>' +
      '<button type="button" data-by="1" aria-label="Next picture">›</button>' +
      '<button type="button" class="close" aria-label="Close">×</button>' +
      '<p class="words" role="status"></p>';
    dialog.addEventListener('click', (event) => {
      const by = event.target.closest('[data-by]')?.dataset.by;
      if (by) step(Number(by));
      else if (event.target === dialog || event.target.closest('.close')) dialog.close();
    });
    dialog.addEventListener('keydown', (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      step(by);
    });
    dialog.addEventListener('close', () => {
      dialog.querySelector('.picture').replaceChildren();
      // The picture may have been drawn anew meanwhile.
      (shown[at]?.isConnected ? shown[at] : document).querySelector('.enlarge')?.focus();
    });
    // Within the page, so that its colours and styles are those of the page.
    document.querySelector('.gradio-container .contain').append(dialog);
  }

  function step(by) {
    at = (at + by + shown.length) % shown.length;
    show();
  }

  /** The whole stage: over a picture lie its boxes. */
  function show() {
    const stage = shown[at].querySelector('.stage').cloneNode(true);
    stage.querySelector('.enlarge')?.remove();
    const figure = document.createElement('figure');
    figure.className = 'photo';
    figure.append(stage);
    dialog.querySelector('.picture').replaceChildren(figure);
    const several = shown.length > 1;
    const words =
      stage.querySelector('img').alt + (several ? ` (${at + 1} of ${shown.length})` : '');
    dialog.querySelector('.words').textContent = words;
    for (const button of dialog.querySelectorAll('[data-by]')) button.hidden = !several;
  }

  function enlarge(figure) {
    if (!dialog?.isConnected) made();
    const panel = figure.closest('[role=tabpanel]') || document;
    shown = [...panel.querySelectorAll(FIGURES)].filter((other) => other.checkVisibility());
    at = shown.indexOf(figure);
    show();
    dialog.showModal();
  }

  /** Back to the variant; `tile` is the one that is shown instead. */
  function endLook() {
    if (!looked) return;
    // Gradio knows the figure, and draws it anew only when it says something else.
    if (looked.place.isConnected) looked.place.replaceChildren(...looked.before);
    looked.tile.setAttribute('aria-pressed', 'false');
    looked = null;
  }

  /** A step or an extreme is shown in the place of the picture after. */
  function lookAt(tile) {
    const again = looked?.tile === tile;
    endLook();
    const place = document.querySelector(`#augment-after ${FIGURES}`);
    if (again || !place) return;
    looked = { tile, place, before: [...place.childNodes] };
    const stage = tile.querySelector('.stage').cloneNode(true);
    const caption = document.createElement('figcaption');
    caption.textContent = [...tile.children]
      .slice(1)
      .map((part) => part.textContent)
      .join(', ');
    place.replaceChildren(stage, caption);
    tile.setAttribute('aria-pressed', 'true');
  }

  document.addEventListener('click', (event) => {
    const stage = event.target.closest?.(`${FIGURES} .stage`);
    const look = event.target.closest?.('.tile.look');
    if (look) lookAt(look);
    else if (event.target.closest?.('#augment-grid [data-key]')) endLook();
    else if (stage && !stage.closest('.tile, dialog')) enlarge(stage.closest(FIGURES));
  });

  // For those without a mouse, and to say that a picture enlarges.
  function prepare() {
    for (const grid of document.querySelectorAll('.grid:has(> .look):not([data-one-stop])')) {
      grid.dataset.oneStop = '';
      window.detectorPage.oneTabStop(grid, '.look');
    }
    for (const stage of document.querySelectorAll(`${FIGURES} .stage:not(:has(.enlarge))`)) {
      if (stage.closest('.tile, dialog')) continue;
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'enlarge';
      button.setAttribute('aria-label', 'Enlarge');
      stage.append(button);
    }
  }
  new MutationObserver(prepare).observe(document, { childList: true, subtree: true });
})();
