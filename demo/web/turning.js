// The photo that turns beside the answer (demo/views/turning.py): its picture is the one beside it,
// so that it is sent once; its angles and boxes come from the server.
const LAP_MS = 9000;
const LAPS = 6; // then it rests
const still = matchMedia('(prefers-reduced-motion: reduce)');
let moving = [];

function begin() {
  const button = element.querySelector('.turning .open');
  if (!button) return;
  // Gradio may keep the elements of the photo before, and change what they show.
  for (const one of moving) one.cancel();
  const picture = button.querySelector('img');
  picture.src = element.querySelector('.stage img.pixels').src;
  const frames = JSON.parse(button.dataset.frames);
  const turns = frames.map(([angle]) => ({ transform: `rotate(${-angle}deg)` }));
  const boxes = frames.map(([, [x1, y1, x2, y2]]) => ({
    transform: `translate(${x1}px, ${y1}px) scale(${x2 - x1}, ${y2 - y1})`,
  }));
  const lap = { duration: LAP_MS, iterations: LAPS };
  moving = [
    picture.animate(turns, lap),
    ...[...button.querySelectorAll('rect')].map((rect) => rect.animate(boxes, lap)),
  ];
  moving[0].onfinish = () => told(true);
  told(false);
  if (still.matches) cancel();
}

function told(paused) {
  const pause = element.querySelector('.turning .pause');
  pause.setAttribute('aria-pressed', String(paused));
  pause.textContent = paused ? 'Play' : 'Pause';
}

function cancel() {
  for (const one of moving) one.cancel();
  told(true);
}

still.addEventListener('change', () => (still.matches ? cancel() : begin()));
element.addEventListener('click', (event) => {
  if (event.target.closest('.turning .open')) document.querySelector('#augment-this').click();
  if (!event.target.closest('.turning .pause')) return;
  const goes = moving[0]?.playState === 'running';
  for (const one of moving) goes ? one.pause() : one.play();
  told(goes);
});
watch('value', begin);
begin();
