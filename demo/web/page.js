// Keeps the address in step with what is shown: a copied address restores it, Back goes to the tab
// before. What belongs into an address is decided by the server.
(() => {
  const queries = {};
  const asked = new URLSearchParams(location.search);
  const known = ['detect', 'augment', 'dataset', 'training'];
  let open = known.includes(asked.get('tab')) ? asked.get('tab') : 'detect';
  let restored = false;
  let drawn = ''; // the tab whose signal was given last
  let early = 'detect'; // the tab that was opened last before the address was read

  const token = () => String(performance.now());

  function address(query) {
    const kept = new URLSearchParams();
    const now = new URLSearchParams(location.search);
    for (const name of ['__theme', '__lang', 'view']) {
      if (now.has(name)) kept.set(name, now.get(name));
    }
    for (const [name, value] of new URLSearchParams(query)) kept.set(name, value);
    return location.pathname + '?' + kept.toString();
  }

  /** What a tab now shows, as the server says it. */
  window.showInAddress = (query) => {
    const tab = new URLSearchParams(query).get('tab');
    queries[tab] = query;
    if (tab === open) history.replaceState({tab}, '', address(query));
  };

  // Boxes are looked for when Augment is opened and when the photo is replaced while it is open, not
  // before: an update that leaves a custom component alone empties its properties if it was never
  // on screen (Gradio 6.31).
  window.replaced = (signal) => (drawn === 'augment' ? token() : signal);

  /** A tab was opened; returns another signal if it has to be drawn. */
  window.openedTab = (tab, signal) => {
    // The first tab says that it is open before the address was read.
    if (!restored) early = tab;
    if (!restored || tab === drawn) return signal;
    drawn = tab;
    if (tab !== open) {
      open = tab;
      history.pushState({tab}, '', address(queries[tab] || 'tab=' + tab));
      window.scrollTo(0, 0); // a button far down a tab opens another one from its beginning
    }
    return token();
  };

  /** All values of the address are in place: the signals of Detect, and of the tab that is open. */
  window.addressRestored = (said) => {
    restored = true;
    const [asked, redraw] = said.split(' ');
    // An address that asks for the first tab leaves the one open that was opened meanwhile.
    drawn = open = asked === 'detect' ? early : asked;
    return [redraw, ...known.slice(1).map((tab) => (tab === drawn ? token() : ''))];
  };

  window.addEventListener('popstate', () => {
    open = new URLSearchParams(location.search).get('tab') || 'detect';
    document.querySelector(`button[role=tab][data-tab-id="${open}"]`)?.click();
  });

  document.addEventListener('many-photos', () => {
    document.querySelector('button[role=tab][data-tab-id="detect"]')?.click();
  });

  window.copyLink = async () => {
    const button = document.querySelector('#copy-link');
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = 'Copied';
    } catch {
      window.prompt('The link to this view:', location.href);
    }
    setTimeout(() => { button.textContent = words; }, 1500);
  };
})();
