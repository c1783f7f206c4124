// Keeps the address in step with what is shown: a copied address restores it, Back goes to the tab
// before. What belongs into an address is decided by the server.
(() => {
  const queries = {};
  const asked = new URLSearchParams(location.search);
  const known = ['detect', 'augment', 'dataset', 'training'];
  let open = known.includes(asked.get('tab')) ? asked.get('tab') : 'detect';
  let restored = false;

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

  /** A tab was opened; returns what is open. */
  window.openedTab = (tab, before) => {
    // The first tab says that it is open before the address was read.
    if (!restored) return before;
    if (tab !== open) {
      open = tab;
      history.pushState({tab}, '', address(queries[tab] || 'tab=' + tab));
    }
    return tab;
  };

  /** All values of the address are in place: which tab is open, and whether Detect is drawn anew. */
  window.addressRestored = (said) => {
    restored = true;
    return said.split(' ');
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
