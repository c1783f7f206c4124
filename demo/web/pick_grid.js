// A grid of <button data-key>; the event `select` has the pressed key.
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
// The server may have drawn this grid before it knew which tile was pressed.
watch('value', mark);
window.detectorPage.oneTabStop(element, 'button[data-key]');
