// A group of similar buttons is one stop of the Tab key; arrow keys move among them.
(() => {
  const page = window.detectorPage;
  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  /** The offset between two elements' centres, along a direction and across it, in pixels. */
  function offset(from, to, [x, y]) {
    const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
    const [dx, dy] = [a, b]
      .map((r) => [r.x + r.width / 2, r.y + r.height / 2])
      .reduce((one, other) => [other[0] - one[0], other[1] - one[1]]);
    return { to, along: dx * x + dy * y, aside: Math.abs(dx * y) + Math.abs(dy * x) };
  }

  function next(from, all, key) {
    const i = all.indexOf(from);
    if (key === 'Home') return all[0];
    if (key === 'End') return all[all.length - 1];
    const direction = ARROWS[key];
    if (!direction) return null;
    const ahead = all
      .filter((other) => other !== from)
      .map((other) => offset(from, other, direction))
      .filter(({ along, aside }) => along > 1 && along > aside / 2);
    ahead.sort((one, other) => one.along + 4 * one.aside - other.along - 4 * other.aside);
    if (ahead.length) return ahead[0].to;
    // From the end of a row to the beginning of the next one.
    return direction[0] ? all[i + direction[0]] : null;
  }

  /**
   * Let the Tab key stop at one of the elements that `selector` finds in `element`: the chosen one,
   * or the last one with the focus. `moved` is called with the element that an arrow key moves to.
   */
  page.oneTabStop = (element, selector, moved = () => {}) => {
    const all = () => [...element.querySelectorAll(selector)].filter((e) => e.checkVisibility());

    function keep(stop) {
      for (const other of element.querySelectorAll(selector)) {
        const index = other === stop ? 0 : -1;
        if (other.tabIndex !== index) other.tabIndex = index;
      }
    }

    function renew() {
      const found = [...element.querySelectorAll(selector)];
      if (found.filter((e) => e.tabIndex === 0).length === 1) return;
      keep(found.find((e) => e.matches('[aria-pressed=true], [aria-selected=true]')) || found[0]);
    }

    element.addEventListener('keydown', (event) => {
      const from = event.target.closest(selector);
      const to = from && !event.altKey && !event.ctrlKey && next(from, all(), event.key);
      if (!to) return;
      event.preventDefault();
      to.focus();
      moved(to);
    });
    element.addEventListener('focusin', (event) => {
      const stop = event.target.closest(selector);
      if (stop) keep(stop);
    });
    new MutationObserver(renew).observe(element, { childList: true, subtree: true });
    renew();
  };

  // The tabs are Gradio's, which makes each a stop of the Tab key.
  const TAB = 'button[role=tab]';

  function tabs(list) {
    page.oneTabStop(list, TAB, (tab) => tab.click());
    const follow = () => {
      for (const tab of list.querySelectorAll(TAB)) {
        const index = tab.getAttribute('aria-selected') === 'true' ? 0 : -1;
        if (tab.tabIndex !== index) tab.tabIndex = index;
      }
    };
    const what = { attributes: true, attributeFilter: ['aria-selected'], subtree: true };
    new MutationObserver(follow).observe(list, what);
    follow();
  }

  /** Call `act` with the first element that matches, once Gradio has made it. */
  page.whenThere = (selector, act) => {
    const waiting = new MutationObserver(() => {
      const found = document.querySelector(selector);
      if (!found) return;
      waiting.disconnect();
      act(found);
    });
    waiting.observe(document, { childList: true, subtree: true });
  };

  page.whenThere('#tabs .tab-container[role=tablist]', tabs);
  page.whenThere('#augment-settings', (settings) => {
    settings.insertAdjacentHTML(
      'afterbegin',
      '<a class="skip" href="#augment-before" data-to="#augment-before .box">Skip to the box</a>',
    );
  });
  page.whenThere('#augment-settings .presets', (presets) => page.oneTabStop(presets, 'button'));

  // Gradio gives each radio button of a group another name, so that arrow keys would do nothing.
  const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
  document.addEventListener('keydown', (event) => {
    const by = STEPS[event.key];
    const radio = by && event.target.closest?.('fieldset input[type=radio]');
    if (!radio) return;
    const all = [...radio.closest('fieldset').querySelectorAll('input[type=radio]')];
    const to = all[(all.indexOf(radio) + by + all.length) % all.length];
    event.preventDefault();
    to.focus();
    to.click();
  });

  /** Close the list of classes, which lies over the page, after a press elsewhere or Escape. */
  function closeClasses(event) {
    const list = document.querySelector('details.known[open]');
    const isInside = event.type === 'click' && event.target.closest?.('details.known');
    if (list && !isInside && (event.type === 'click' || event.key === 'Escape')) list.open = false;
  }
  document.addEventListener('click', closeClasses);
  document.addEventListener('keydown', closeClasses);

  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('.skip');
    if (!link) return;
    event.preventDefault(); // the address holds what is shown, and no position in the page
    const target = document.querySelector(link.dataset.to || `#tabs ${TAB}[aria-selected=true]`);
    target?.scrollIntoView({ block: 'nearest' });
    target?.focus();
  });
})();
