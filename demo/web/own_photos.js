// The visitor's own photos stay in this browser (IndexedDB), with the boxes that were drawn on them
// and what is annotated in them, so that a reload, a lost connection or a restart of the server does
// not lose them: they are then sent again.
//
// The address of a view of one says `photo=own` and `kept`, the key of its copy here; somebody else
// who opens that address has no such copy.
(() => {
  const page = window.detectorPage;
  const MOST = 4; // each window may show another one
  const LOOK_EVERY = 2000; // milliseconds
  const SESSION = 'detector-own-photo'; // for tabs whose address names no photo of Detect
  const sent = new Map(); // path on the server -> {file, boxes, objects, key}
  let shown = null; // what is kept of the photo that is shown
  let pending = askedFor(); // key of the photo that is to be sent again

  function askedFor() {
    const asked = new URLSearchParams(location.search);
    if (asked.get('photo') === 'own') return asked.get('kept');
    return ['dataset', 'training'].includes(asked.get('tab')) ? session()?.getItem(SESSION) : null;
  }

  /** Nothing where the browser forbids it, as inside of the page of somebody else. */
  function session() {
    try {
      return window.sessionStorage;
    } catch {
      return null;
    }
  }

  /** Do one thing with the store; gives what its request gives. */
  function store(mode, act) {
    return new Promise((done, fail) => {
      const opening = indexedDB.open('largest-object-detector', 1);
      opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore('photos'));
      opening.addEventListener('error', () => fail(opening.error));
      opening.addEventListener('success', () => {
        const database = opening.result;
        const transaction = database.transaction('photos', mode);
        const request = act(transaction.objectStore('photos'));
        transaction.addEventListener('complete', () => done(request.result));
        transaction.addEventListener('abort', () => fail(transaction.error));
        database.close(); // once the transaction is over
      });
    });
  }

  const read = (name) => store('readonly', (photos) => photos.get(name));
  const write = ({ file, boxes, objects, key }) =>
    store('readwrite', (photos) => photos.put({ file, boxes, objects, key }, key));

  const newKey = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;

  async function keepNew(record) {
    const key = record.key || newKey();
    await write({ ...record, key });
    record.key = key;
    await dropOldest();
  }

  async function dropOldest() {
    // Keys begin with the time, so they are in its order.
    const keys = await store('readonly', (photos) => photos.getAllKeys());
    const last = keys[keys.length - MOST - 1];
    if (last) await store('readwrite', (photos) => photos.delete(IDBKeyRange.upperBound(last)));
  }

  function setShown(record) {
    shown = record;
    pending = null;
    if (record) session()?.setItem(SESSION, record.key);
    else session()?.removeItem(SESSION);
    page.renewAddress();
  }

  page.ownPhotos = {
    /** `kept`, {file, boxes, objects, key}, was uploaded to `path`; a new photo has a file alone. */
    remember(path, kept) {
      sent.set(path, kept);
    },

    /**
     * The upload at `path` is shown, or none; `objects` are what is annotated in it.
     * Fails where the browser cannot keep it.
     */
    async shown(path, chosen, objects) {
      const record = sent.get(path);
      if (!record) {
        if (chosen || !pending) setShown(null);
        return;
      }
      if (record === shown) return;
      record.objects = objects;
      record.kept ??= keepNew(record);
      await record.kept;
      setShown(record);
    },

    keyOf(path) {
      return sent.get(path)?.key ?? null;
    },

    /** What is kept under a key, if anything is. */
    find(key) {
      return key ? read(key) : undefined;
    },

    isKept(path) {
      return Boolean(path && shown && sent.get(path) === shown);
    },

    /** Delete all that is kept here. */
    async forget() {
      await store('readwrite', (photos) => photos.clear());
      sent.clear();
      setShown(null);
    },

    /** Say in an address which photo it means. */
    name(query) {
      const hasPhoto = ['detect', 'augment'].includes(query.get('tab'));
      if (pending && hasPhoto && !query.has('sample')) query.set('photo', 'own');
      const key = pending || shown?.key;
      if (key && query.get('photo') === 'own') query.set('kept', key);
    },
  };

  // A server that was started anew has lost the uploads. Gradio notices where a connection breaks
  // while something is asked, and then loads the page again; nobody may have asked anything.
  let lookedAt = 0;

  async function reloadIfRestarted() {
    const now = performance.now();
    if (!shown || document.hidden || now - lookedAt < LOOK_EVERY) return;
    lookedAt = now;
    const answer = await fetch('gradio_api/app_id').catch(() => null); // not there: next time
    if (!answer?.ok) return;
    const { app_id: id } = await answer.json();
    if (id !== window.gradio_config.app_id) location.reload();
  }

  for (const kind of ['pointerdown', 'keydown', 'focus', 'online']) {
    window.addEventListener(kind, reloadIfRestarted, true);
  }
  document.addEventListener('visibilitychange', reloadIfRestarted);

  page.addEventListener('restored', async () => {
    const record = pending && (await read(pending));
    if (record) page.dispatchEvent(new CustomEvent('kept-photo', { detail: record }));
    else pending = null;
  });

  page.addEventListener('shows', async ({ detail: { tab, query } }) => {
    const now = new URLSearchParams(query);
    if (tab !== 'augment' || now.get('photo') !== 'own' || !shown || pending) return;
    const boxes = now.get('boxes') || '';
    if (boxes === (shown.boxes || '')) return;
    shown.boxes = boxes;
    await write(shown);
  });
})();
