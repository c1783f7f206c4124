// A grid of <button data-key>; `select` tells which one was pressed.
let pressed = null;

function mark() {
  const tiles = [...element.querySelectorAll('button[data-key]')];
  if (!tiles.some((tile) => tile.dataset.key === pressed)) return;
  tiles.forEach((tile) => tile.setAttribute('aria-pressed', String(tile.dataset.key === pressed)));
}

element.addEventListener('click', (event) => {
  const tile = event.target.closest('button[data-key]');
  if (!tile) return;
  pressed = tile.dataset.key;
  mark();
  trigger('select', { key: pressed });
});
// A grid that was on its way while a tile was pressed does not know of it.
watch('value', mark);
window.detectorPage.oneTabStop(element, 'button[data-key]');
