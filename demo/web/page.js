// window.detectorPage is the only global of our scripts; everything they share is in it.
//
// Called by events of the page (demo/page.py, demo/tabs):
//   showInAddress(query)           the server says what a tab now shows
//   openedTab(tab, signal)         returns a new signal if the tab has to be drawn
//   addressRestored(answer, tabs)  returns signals for these tabs; the first has been drawn already
//   photoReplaced(tabs, signals)   returns these signals, that of the open tab with a new value
//   copyLink()
//   save(file)                     downloads a file of the server
//   touched()                      name of the setting that is being changed (settings.js)
//   step(by)                       undo (-1) or redo (1): the query to show again (edit_history.js)
// Called by components:
//   sendMany(files)                passes files to the field for many photos of the open tab
//   waitingMany(field)             returns those files to the field with this data-name
//   ANNOTATION                     matches names of annotation files
//   pathOf(file)                   its name, with the folders it was dropped or chosen in
//   setPath(file, path)            sets the result of pathOf for a dropped file
//   whenThere(selector, act)       calls act with an element once Gradio has made it (keyboard.js)
//   oneTabStop(element, selector)  arrow keys move among the selected elements (keyboard.js)
//   showMore(element)              gives it the class "more" while some of it is beyond its right edge
//   ownPhotos                      the visitor's own photos, kept in this browser (own_photos.js)
//   dimOthers(photo)               dims elements whose data-photo is another photo
// Events, each a CustomEvent:
//   'restored'                     the values of the address are in place; isRestored is true
//   'navigated'                    detail URLSearchParams: back or forward, to a tab with a photo
//   'shows'                        detail {tab, query}: a tab shows something else
//   'photo-replaced'
//   'many-photos'                  files wait for a field for many photos
//   'kept-photo'                   detail {file, boxes, objects}: to be sent again
(() => {
  const page = new EventTarget();
  const queries = {}; // tab -> the query of what it shows
  let allTabs = []; // once the address was read
  let open = new URLSearchParams(location.search).get('tab') || 'detect';
  let drawn = ''; // the tab whose signal was set last
  let early = 'detect'; // the tab that was opened last before the address was read
  let waiting = null; // {field, files}: files for a field for many photos
  const places = new WeakMap(); // file -> path of a drop

  const token = () => String(performance.now());
  const tabButton = (tab) => document.querySelector(`button[role=tab][data-tab-id="${tab}"]`);
  const tell = (name, detail) => page.dispatchEvent(new CustomEvent(name, { detail }));

  // The server decides what is in an address, so that a copied one restores what is shown.
  function address(query) {
    const kept = new URLSearchParams();
    const now = new URLSearchParams(location.search);
    for (const name of ['__theme', '__lang', 'view']) {
      if (now.has(name)) kept.set(name, now.get(name));
    }
    for (const [name, value] of new URLSearchParams(query)) kept.set(name, value);
    page.ownPhotos.name(kept);
    return location.pathname + '?' + kept.toString();
  }

  page.isRestored = false;

  page.showInAddress = (query) => {
    const tab = new URLSearchParams(query).get('tab');
    queries[tab] = query;
    if (tab === open) history.replaceState({ tab }, '', address(query));
    tell('shows', { tab, query });
  };

  /** Write the address of the open tab again, after ownPhotos has changed. */
  page.renewAddress = () => {
    if (queries[open]) history.replaceState({ tab: open }, '', address(queries[open]));
  };

  // Augment looks for boxes when it is opened, and when the photo is replaced while it is open, not
  // before: an update without a value for a custom component empties its properties if it was never
  // on screen (Gradio 6.31).
  page.photoReplaced = (tabs, signals) => {
    tell('photo-replaced');
    return tabs.map((tab, i) => (drawn === tab ? token() : signals[i]));
  };

  page.openedTab = (tab, signal) => {
    // Gradio reports the first tab as opened before the address was read.
    if (!page.isRestored) early = tab;
    if (!page.isRestored || tab === drawn) return signal;
    drawn = tab;
    if (tab !== open) {
      open = tab;
      history.pushState({ tab }, '', address(queries[tab] || 'tab=' + tab));
      window.scrollTo(0, 0); // a button far down a tab opens another one from its beginning
      tabButton(tab).focus(); // that button is out of sight
    }
    return token();
  };

  page.addressRestored = (answer, tabs) => {
    const [tab, redraw] = answer.split(' ');
    allTabs = tabs;
    // If the address asks for the first tab, a tab that was opened meanwhile stays open.
    drawn = open = tab === 'detect' ? early : tab;
    page.isRestored = true;
    tell('restored');
    return [redraw, ...tabs.slice(1).map((name) => (name === drawn ? token() : ''))];
  };

  window.addEventListener('popstate', () => {
    const query = new URLSearchParams(location.search);
    open = allTabs.includes(query.get('tab')) ? query.get('tab') : 'detect';
    tabButton(open)?.click();
    if (open === 'detect' || open === 'augment') tell('navigated', query);
    else page.renewAddress();
  });

  const dimming = new CSSStyleSheet();
  document.adoptedStyleSheets.push(dimming);
  page.dimOthers = (photo) =>
    dimming.replaceSync(`[data-photo]:not([data-photo="${CSS.escape(photo)}"]) { opacity: 0.3; }`);

  page.showMore = (element) => {
    const show = () => {
      const hidden = element.scrollWidth - element.clientWidth - element.scrollLeft;
      element.classList.toggle('more', hidden > 1);
    };
    element.addEventListener('scroll', show);
    new ResizeObserver(show).observe(element);
  };

  page.ANNOTATION = /\.(xml|txt|json|ya?ml|labels|names)$/i;
  page.setPath = (file, path) => places.set(file, path);
  page.pathOf = (file) => places.get(file) || file.webkitRelativePath || file.name;

  page.sendMany = (files) => {
    if (open === 'augment') {
      waiting = { field: 'folder', files };
      const heading = document.querySelector('#folder > .label-wrap');
      if (!heading.classList.contains('open')) heading.click();
    } else {
      waiting = { field: 'many', files };
      tabButton('detect')?.click();
    }
    tell('many-photos');
  };

  page.waitingMany = (field) => {
    if (waiting?.field !== field) return null;
    const { files } = waiting;
    waiting = null;
    return files;
  };

  page.copyLink = async () => {
    const button = document.querySelector('#copy-link');
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = 'Copied';
    } catch {
      window.prompt('The link to this view:', location.href);
    }
    setTimeout(() => {
      button.textContent = words;
    }, 1500);
  };

  page.save = (file) => {
    if (!file?.url) return;
    const link = document.createElement('a');
    link.href = file.url;
    link.download = file.orig_name || '';
    document.body.append(link);
    link.click();
    link.remove();
  };

  window.detectorPage = page;
})();
