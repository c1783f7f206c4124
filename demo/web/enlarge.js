// Enlarges pictures: steps and extremes in the place of the "after" picture, others in a dialog.
(() => {
  const FIGURES = 'figure.photo:not(.turning)'; // the turning photo has no stage
  let shown = []; // figures that the arrow keys go through
  let at = 0;
  let dialog = null;
  let replaced = null; // {tile, place, before}: the tile shown in the place of the "after" picture

  function makeDialog() {
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
      // The picture may have been redrawn meanwhile.
      (shown[at]?.isConnected ? shown[at] : document).querySelector('.enlarge')?.focus();
    });
    // Inside of Gradio's container, so that the styles of the page apply.
    document.querySelector('.gradio-container .contain').append(dialog);
  }

  function step(by) {
    at = (at + by + shown.length) % shown.length;
    show();
  }

  /** Show the current figure's stage, which is the picture with its boxes. */
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
    if (!dialog?.isConnected) makeDialog();
    const panel = figure.closest('[role=tabpanel]') || document;
    shown = [...panel.querySelectorAll(FIGURES)].filter((other) => other.checkVisibility());
    at = shown.indexOf(figure);
    show();
    dialog.showModal();
  }

  /** Show the variant in its place again. */
  function restore() {
    if (!replaced) return;
    // Gradio does not: it redraws the figure only when its HTML changes.
    if (replaced.place.isConnected) replaced.place.replaceChildren(...replaced.before);
    replaced.tile.setAttribute('aria-pressed', 'false');
    replaced = null;
  }

  /** Show a step or an extreme in the place of the "after" picture; pressed again, end that. */
  function replaceAfter(tile) {
    const again = replaced?.tile === tile;
    restore();
    const place = document.querySelector(`#augment-after ${FIGURES}`);
    if (again || !place) return;
    replaced = { tile, place, before: [...place.childNodes] };
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
    if (look) replaceAfter(look);
    else if (event.target.closest?.('#augment-grid [data-key]')) restore();
    else if (stage && !stage.closest('.tile, dialog')) enlarge(stage.closest(FIGURES));
  });

  // The buttons are for visitors without a mouse, and show that a picture can be enlarged.
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
