// Keeps the address in step with what is shown, so that a copied address restores the view.
window.showInAddress = (tab, values) => {
  const query = new URLSearchParams(location.search);
  const kept = new URLSearchParams();
  for (const name of ['__theme', '__lang', 'view']) {
    if (query.has(name)) kept.set(name, query.get(name));
  }
  kept.set('tab', tab);
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') kept.set(name, value);
  }
  history.replaceState(history.state, '', location.pathname + '?' + kept.toString());
};
