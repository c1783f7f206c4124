// The photo that turns beside the answer (demo/views/turning.py). It shows the picture of the answer,
// so that this is sent once; its angles and boxes come from the server.
const LAP_MS = 9000;
const LAPS = 6; // then it rests
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
let animations = [];

function begin() {
  const button = element.querySelector('.turning .open');
  if (!button) return;
  // Gradio may reuse the elements of the previous photo.
  for (const animation of animations) animation.cancel();
  const picture = button.querySelector('img');
  picture.src = element.querySelector('.stage img.pixels').src;
  const frames = JSON.parse(button.dataset.frames);
  const turns = frames.map(([angle]) => ({ transform: `rotate(${-angle}deg)` }));
  const boxes = frames.map(([, [x1, y1, x2, y2]]) => ({
    transform: `translate(${x1}px, ${y1}px) scale(${x2 - x1}, ${y2 - y1})`,
  }));
  const lap = { duration: LAP_MS, iterations: LAPS };
  animations = [
    picture.animate(turns, lap),
    ...[...button.querySelectorAll('rect')].map((rect) => rect.animate(boxes, lap)),
  ];
  animations[0].onfinish = () => showPaused(true);
  showPaused(false);
  if (reducedMotion.matches) cancel();
}

function showPaused(paused) {
  const pause = element.querySelector('.turning .pause');
  pause.setAttribute('aria-pressed', String(paused));
  pause.textContent = paused ? 'Play' : 'Pause';
}

function cancel() {
  for (const animation of animations) animation.cancel();
  showPaused(true);
}

reducedMotion.addEventListener('change', () => (reducedMotion.matches ? cancel() : begin()));
element.addEventListener('click', (event) => {
  if (event.target.closest('.turning .open')) document.querySelector('#augment-this').click();
  if (!event.target.closest('.turning .pause')) return;
  const runs = animations[0]?.playState === 'running';
  for (const animation of animations) runs ? animation.pause() : animation.play();
  showPaused(runs);
});
watch('value', begin);
begin();
