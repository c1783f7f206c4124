// A finger that scrolls the page over a slider does not change it: only a sideways move does.
// Gradio's sliders listen to `input`, which is held back until the direction of a touch is known.
(() => {
  const LEAST_MOVE = 8; // pixels; a finger at rest moves less
  let touch = null; // {slider, value: before the touch, x, y, sideways}

  const sliderOf = (event) => event.target.closest?.('input[type=range]');

  function begin(event) {
    end(); // a second finger
    const slider = event.touches.length === 1 ? sliderOf(event) : null;
    const [{ clientX: x, clientY: y }] = event.touches;
    touch = slider && { slider, value: slider.value, x, y, sideways: false };
  }

  function move(event) {
    if (!touch || touch.sideways) return;
    const [{ clientX, clientY }] = event.touches;
    const [across, down] = [Math.abs(clientX - touch.x), Math.abs(clientY - touch.y)];
    if (Math.max(across, down) < LEAST_MOVE) return;
    if (across > down) touch.sideways = true;
    else end();
  }

  function end() {
    if (touch && !touch.sideways) putBack(touch);
    touch = null;
  }

  function putBack({ slider, value }) {
    slider.value = value;
    // The browser may set it again when the finger is lifted, with the events of a mouse.
    const hold = (event) => {
      if (event.target !== slider) return;
      event.stopImmediatePropagation();
      slider.value = value;
    };
    const kinds = ['input', 'change'];
    for (const kind of kinds) window.addEventListener(kind, hold, true);
    const release = () => {
      for (const kind of kinds) window.removeEventListener(kind, hold, true);
    };
    window.addEventListener('touchstart', release, { capture: true, once: true });
    window.addEventListener('keydown', release, { capture: true, once: true });
    setTimeout(release, 400);
  }

  function hear(event) {
    if (!touch || event.target !== touch.slider || touch.sideways) return;
    event.stopImmediatePropagation();
  }

  const quiet = { capture: true, passive: true };
  window.addEventListener('touchstart', begin, quiet);
  window.addEventListener('touchmove', move, quiet);
  window.addEventListener('touchend', end, quiet);
  window.addEventListener('touchcancel', end, quiet);
  window.addEventListener('input', hear, true);
  window.addEventListener('change', hear, true);
})();
