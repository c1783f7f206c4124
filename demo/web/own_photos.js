// The visitor's own photos are kept in this browser (IndexedDB), with the boxes that were drawn on
// them and their annotated objects. After a reload, a lost connection or a restart of the server they
// are sent again.
//
// The address of a view of one has `photo=own` and `kept`, the key of its copy here; somebody else
// who opens that address has no such copy.
(() => {
  const page = window.detectorPage;
  const MOST = 4; // photos that are kept: each window may show another one
  const LOOK_EVERY = 2000; // milliseconds
  const SESSION = 'detector-own-photo'; // for tabs whose address names no photo of Detect
  const uploads = new Map(); // path on the server -> record {file, boxes, objects, key}
  let shown = null; // record of the photo that is shown
  let pending = keyInAddress(); // key of the photo that is to be sent again

  function keyInAddress() {
    const query = new URLSearchParams(location.search);
    if (query.get('photo') === 'own') return query.get('kept');
    return ['dataset', 'training'].includes(query.get('tab')) ? session()?.getItem(SESSION) : null;
  }

  /** The session storage; null where the browser forbids it, as in a frame of another site. */
  function session() {
    try {
      return window.sessionStorage;
    } catch {
      return null;
    }
  }

  /** Do one request on the database's store; resolves with its result. */
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

  const read = (key) => store('readonly', (photos) => photos.get(key));
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
    // Keys begin with the time, so they are in the order of time.
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
    /** Note that the file of a record was uploaded to `path`; that of a new photo has only a file. */
    remember(path, record) {
      uploads.set(path, record);
    },

    /**
     * Keep the upload at `path`, which is now shown (or none), with its annotated objects.
     * Rejects where the browser cannot keep it.
     */
    async shown(path, chosen, objects) {
      const record = uploads.get(path);
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
      return uploads.get(path)?.key ?? null;
    },

    /** The record that is kept under a key, if there is one. */
    find(key) {
      return key ? read(key) : undefined;
    },

    isKept(path) {
      return Boolean(path && shown && uploads.get(path) === shown);
    },

    /** Delete all photos that are kept here. */
    async forget() {
      await store('readwrite', (photos) => photos.clear());
      uploads.clear();
      setShown(null);
    },

    /** Add the key of the visitor's own photo to an address. */
    name(query) {
      const hasPhoto = ['detect', 'augment'].includes(query.get('tab'));
      if (pending && hasPhoto && !query.has('sample')) query.set('photo', 'own');
      const key = pending || shown?.key;
      if (key && query.get('photo') === 'own') query.set('kept', key);
    },
  };

  // A restarted server has lost the uploads. Gradio notices only if a connection breaks during a
  // call, and then reloads the page.
  let lookedAt = 0;

  async function reloadIfRestarted() {
    const now = performance.now();
    if (!shown || document.hidden || now - lookedAt < LOOK_EVERY) return;
    lookedAt = now;
    const answer = await fetch('gradio_api/app_id').catch(() => null); // not reached: next time
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
