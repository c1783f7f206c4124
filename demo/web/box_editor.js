// Boxes on a photo: draw, move, resize and name them by mouse, touch or keyboard.
//
// props.value: {image: address, image_size: [width, height], photo: its key,
//   selected: index or null, boxes: [{bbox_xyxy: [left, top, right, bottom] in pixels of image_size, class_name}]}
// CLASS_NAMES: classes to choose from, in addition to those of the boxes. MAX_BOXES: how many boxes
// there can be. SHOWN_NAMES: names as people read them, where they differ.
// The template never changes, so Gradio does not touch the elements below.
const stage = element.querySelector('.stage');
const image = stage.querySelector('img');
const layer = stage.querySelector('.boxes');
const select = element.querySelector('select');
const addButton = element.querySelector('.add');
const deleteButton = element.querySelector('.delete');
const status = element.querySelector('.status');
const HANDLES = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w'];
const editButton = element.querySelector('.edit');
const tools = element.querySelector('.change');
const LONG_PRESS = 500; // milliseconds
const STILL = 10; // pixels that a finger may move during a long press
const MIN_SIDE = 4; // pixels of the photo

let boxes = [];
let selected = null;
let size = [1, 1];
let editing = false; // whether touch edits; a mouse and keys always do
let held = null; // {timer, event}: a touch that may become a long press
let drag = null; // {mode, start: [x, y], box: before the drag, before: all boxes before it, moved}

const help = element.querySelector('.help');
help.id = 'box-help-' + Math.random().toString(36).slice(2);
stage.setAttribute('aria-describedby', help.id);
const OTHER = '\u0000'; // no class has this name
const naming = element.querySelector('.naming');
const newName = naming.querySelector('input');
offer(['', ...CLASS_NAMES]);

/** The name of a class as people read it. */
function shownName(name) {
  return Object.hasOwn(SHOWN_NAMES, name) ? SHOWN_NAMES[name] : name;
}

/** Add names to the drop-down, unless they are there. */
function offer(names) {
  const present = new Set([...select.options].map((option) => option.value));
  for (const name of names) {
    if (!present.has(name)) select.add(new Option(shownName(name) || 'not named', name));
    present.add(name);
  }
  if (!present.has(OTHER)) select.add(new Option('another name ...', OTHER));
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function area(box) {
  const [x1, y1, x2, y2] = box.bbox_xyxy;
  return (x2 - x1) * (y2 - y1);
}

function copyOf(list) {
  return list.map((box) => ({ ...box, bbox_xyxy: [...box.bbox_xyxy] }));
}

const numbersOf = (list) => list.map((box) => box.bbox_xyxy.map(Math.round)).join();

/** Show the value that Python sent, or that the page began with. */
function read() {
  const value = props.value || {};
  if (numbersOf(value.boxes || []) !== numbersOf(boxes)) status.textContent = ''; // about old boxes
  boxes = copyOf(value.boxes || []);
  offer(boxes.map((box) => box.class_name));
  selected = boxes[value.selected] ? value.selected : boxes.length ? 0 : null;
  drag = null;
  const address = value.image || '';
  if (image.getAttribute('src') !== address && address) {
    image.src = address;
    setEditing(false);
  }
  image.alt = value.alt || 'the photo';
  if (value.image_size) setSize(value.image_size);
  stage.dataset.photo = value.photo || ''; // for wants() of page.js
  stage.hidden = tools.hidden = editButton.hidden = !address;
  element.querySelector('.empty').hidden = Boolean(address);
  show();
}

function setSize(newSize) {
  size = newSize;
  stage.style.setProperty('--w', size[0]);
  stage.style.setProperty('--h', size[1]);
}

/** Send the boxes to Python, and show `words` to the visitor. */
function tell(words) {
  status.textContent = words;
  const rounded = boxes.map((box) => ({
    ...box,
    bbox_xyxy: box.bbox_xyxy.map((v) => Math.round(v * 100) / 100),
  }));
  props.value = { ...props.value, boxes: rounded, selected };
  trigger('input');
}

function makeBox() {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'box';
  button.innerHTML = '<span class="tag"></span>';
  for (const name of HANDLES) {
    const handle = document.createElement('span');
    handle.className = 'handle ' + name;
    button.append(handle);
  }
  return button;
}

function show() {
  while (layer.children.length > boxes.length) layer.lastChild.remove();
  while (layer.children.length < boxes.length) layer.append(makeBox());
  const target = boxes.reduce((best, box, i) => (area(box) > area(boxes[best]) ? i : best), 0);
  boxes.forEach((box, i) => showBox(layer.children[i], box, i, i === target));
  select.disabled = deleteButton.disabled = selected === null;
  select.value = selected === null ? '' : boxes[selected].class_name;
  showNames();
}

/** Hide names that would cover others; the selected box and the larger ones come first. */
function showNames() {
  const order = boxes.map((_, i) => i).toSorted((a, b) => area(boxes[b]) - area(boxes[a]));
  if (selected !== null) order.unshift(...order.splice(order.indexOf(selected), 1));
  const shown = [];
  for (const index of order) {
    const tag = layer.children[index].querySelector('.tag');
    const place = tag.getBoundingClientRect();
    const isFree = shown.every(
      (other) =>
        place.right <= other.left ||
        other.right <= place.left ||
        place.bottom <= other.top ||
        other.bottom <= place.top,
    );
    tag.classList.toggle('covered', !isFree);
    if (isFree) shown.push(place);
  }
}

function showBox(button, box, i, isTarget) {
  const [x1, y1, x2, y2] = box.bbox_xyxy;
  button.style.left = (100 * x1) / size[0] + '%';
  button.style.top = (100 * y1) / size[1] + '%';
  button.style.width = (100 * (x2 - x1)) / size[0] + '%';
  button.style.height = (100 * (y2 - y1)) / size[1] + '%';
  button.classList.toggle('selected', i === selected);
  button.classList.toggle('target', isTarget);
  button.classList.toggle('high', y1 < 0.08 * size[1]);
  // There is more room for the label to the left.
  button.classList.toggle('right-half', x1 > 0.4 * size[0] && x1 + x2 > size[0]);
  button.style.zIndex = i === selected ? 1 : 0;
  const name = shownName(box.class_name) || 'object';
  const also = boxes.length > 1 ? (isTarget ? ', the largest' : '') : '';
  button.querySelector('.tag').textContent = name + also;
  button.setAttribute('aria-pressed', String(i === selected));
  button.setAttribute(
    'aria-label',
    `${name}, box ${i + 1} of ${boxes.length}${also}: ` + place(box),
  );
}

function place(box) {
  const [x1, y1, x2, y2] = box.bbox_xyxy.map(Math.round);
  return `left ${x1}, top ${y1}, right ${x2}, bottom ${y2}`;
}

function add(box) {
  // At the limit a new box replaces the selected one.
  if (boxes.length < MAX_BOXES) selected = boxes.push(box) - 1;
  else boxes[(selected = selected ?? 0)] = box;
}

function remove() {
  if (selected === null) return;
  boxes.splice(selected, 1);
  selected = boxes.length ? Math.min(selected, boxes.length - 1) : null;
  show();
  (selected === null ? addButton : layer.children[selected]).focus();
  tell('Box deleted.');
}

/** The box `before` with the sides that `mode` names, or all of it, moved by (dx, dy). */
function change(before, mode, dx, dy) {
  let [x1, y1, x2, y2] = before;
  const [width, height] = size;
  if (mode === 'move') {
    dx = clamp(dx, -x1, width - x2);
    dy = clamp(dy, -y1, height - y2);
    return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  }
  if (mode.includes('w')) x1 = clamp(x1 + dx, 0, x2 - MIN_SIDE);
  if (mode.includes('e')) x2 = clamp(x2 + dx, x1 + MIN_SIDE, width);
  if (mode.includes('n')) y1 = clamp(y1 + dy, 0, y2 - MIN_SIDE);
  if (mode.includes('s')) y2 = clamp(y2 + dy, y1 + MIN_SIDE, height);
  return [x1, y1, x2, y2];
}

/** The position of a pointer, in pixels of the photo. */
function pointOf(event) {
  const area = stage.getBoundingClientRect();
  return [
    clamp(((event.clientX - area.left) / area.width) * size[0], 0, size[0]),
    clamp(((event.clientY - area.top) / area.height) * size[1], 0, size[1]),
  ];
}

/** The box under a pointer, and what a drag does to it: "move", or the sides, as in "nw". */
function gripAt([x, y], event) {
  const perPixel = size[0] / stage.getBoundingClientRect().width;
  const reach = (event.pointerType === 'mouse' ? 8 : 20) * perPixel;
  const order = boxes.map((_, i) => i).toSorted((a, b) => area(boxes[a]) - area(boxes[b]));
  if (selected !== null) order.unshift(selected); // the one with the handles comes first
  for (const index of order) {
    const [x1, y1, x2, y2] = boxes[index].bbox_xyxy;
    const out = index === selected ? reach : 0;
    if (x < x1 - out || x > x2 + out || y < y1 - out || y > y2 + out) continue;
    const inX = Math.min(out, (x2 - x1) / 4),
      inY = Math.min(out, (y2 - y1) / 4);
    const vertical = !out ? '' : y <= y1 + inY ? 'n' : y >= y2 - inY ? 's' : '';
    const sides = vertical + (!out ? '' : x <= x1 + inX ? 'w' : x >= x2 - inX ? 'e' : '');
    return { index, mode: sides || 'move' };
  }
  return null;
}

function fillsPhoto(box) {
  const [x1, y1, x2, y2] = box.bbox_xyxy;
  return x1 <= 0 && y1 <= 0 && x2 >= size[0] && y2 >= size[1];
}

/** Whether a finger on the photo edits boxes, or scrolls the page. */
function setEditing(on) {
  editing = on;
  element.querySelector('.editor').classList.toggle('editing', on);
  editButton.setAttribute('aria-expanded', String(on));
  editButton.textContent = on ? 'Done' : 'Edit box';
}

function endHold() {
  clearTimeout(held?.timer);
  held = null;
}

/** A finger was put down: it scrolls, unless it becomes a long press. */
function hold(event) {
  endHold();
  if (!event.isPrimary) return;
  const timer = setTimeout(() => {
    held = null;
    setEditing(true);
    navigator.vibrate?.(20);
    take(event);
  }, LONG_PRESS);
  held = { timer, event };
}

function press(event) {
  if (editing || event.pointerType === 'mouse') take(event);
  else hold(event);
}

function take(event) {
  if (!event.isPrimary || event.button !== 0 || drag) return;
  const start = pointOf(event);
  let grip = event.shiftKey ? null : gripAt(start, event);
  // A box that fills the photo cannot be moved: dragging inside it draws a new one.
  if (grip && grip.mode === 'move' && fillsPhoto(boxes[grip.index])) grip = null;
  drag = { start, before: copyOf(boxes), wasSelected: selected, moved: false, from: event };
  if (grip) {
    selected = grip.index;
    drag.mode = grip.mode;
    drag.box = [...boxes[selected].bbox_xyxy];
    layer.children[selected].focus({ preventScroll: true });
  } else drag.mode = 'draw';
  stage.setPointerCapture(event.pointerId);
  event.preventDefault();
  show();
}

function move(event) {
  if (
    held &&
    Math.hypot(event.clientX - held.event.clientX, event.clientY - held.event.clientY) > STILL
  )
    endHold();
  if (!drag || event.pointerId !== drag.from.pointerId) return;
  const [x, y] = pointOf(event);
  const distance = Math.hypot(event.clientX - drag.from.clientX, event.clientY - drag.from.clientY);
  if (!drag.moved && distance < 4) return; // a click, so far
  if (drag.mode === 'draw') {
    const [x0, y0] = drag.start;
    if (!drag.moved) add({ bbox_xyxy: [0, 0, 0, 0], class_name: chosenName() });
    boxes[selected].bbox_xyxy = drawn(
      Math.min(x0, x),
      Math.min(y0, y),
      Math.max(x0, x),
      Math.max(y0, y),
    );
  } else {
    boxes[selected].bbox_xyxy = change(drag.box, drag.mode, x - drag.start[0], y - drag.start[1]);
  }
  drag.moved = true;
  show();
}

/** A box of at least MIN_SIDE within the photo. */
function drawn(x1, y1, x2, y2) {
  x1 = Math.min(x1, size[0] - MIN_SIDE);
  y1 = Math.min(y1, size[1] - MIN_SIDE);
  return [x1, y1, Math.max(x2, x1 + MIN_SIDE), Math.max(y2, y1 + MIN_SIDE)];
}

function release(event) {
  endHold();
  if (!drag || event.pointerId !== drag.from.pointerId) return;
  const { moved, mode, wasSelected } = drag;
  drag = null;
  if (mode === 'draw' && moved) layer.children[selected].focus({ preventScroll: true });
  if (moved) tell((mode === 'draw' ? 'New box: ' : 'Box: ') + place(boxes[selected]));
  else if (selected !== wasSelected) tell('');
}

/** Undo the drag, after Escape or when the browser cancels the pointer. */
function cancel() {
  endHold();
  if (!drag) return;
  boxes = drag.before;
  selected = drag.wasSelected;
  drag = null;
  show();
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function key(event) {
  if (event.key === 'Escape') return cancel();
  if (drag || !event.target.classList.contains('box')) return;
  selected = [...layer.children].indexOf(event.target);
  if (event.key === 'Delete' || event.key === 'Backspace') {
    event.preventDefault();
    return remove();
  }
  if (!ARROWS[event.key]) return;
  event.preventDefault(); // Alt and an arrow key would leave the page
  const step = event.shiftKey ? 10 : 1;
  const [dx, dy] = ARROWS[event.key].map((d) => d * step);
  const mode = event.altKey || event.ctrlKey ? 'se' : 'move';
  boxes[selected].bbox_xyxy = change(boxes[selected].bbox_xyxy, mode, dx, dy);
  show();
  tell('Box: ' + place(boxes[selected]));
}

function choose(event) {
  const index = [...layer.children].indexOf(event.target.closest('.box'));
  if (index < 0 || index === selected || drag) return;
  selected = index;
  show();
}

function addInTheMiddle() {
  const [width, height] = size;
  add({
    bbox_xyxy: [width / 4, height / 4, (3 * width) / 4, (3 * height) / 4],
    class_name: chosenName(),
  });
  show();
  layer.children[selected].focus({ preventScroll: true });
  tell('New box: ' + place(boxes[selected]));
}

new ResizeObserver(showNames).observe(stage);
stage.addEventListener('pointerdown', press);
stage.addEventListener('pointermove', move);
stage.addEventListener('pointerup', release);
stage.addEventListener('pointercancel', cancel);
stage.addEventListener('keydown', key);
// While a finger drags a box the page must not scroll, even if it could when the touch began.
stage.addEventListener('touchmove', (event) => drag && event.preventDefault(), { passive: false });
// The menu that a long press opens.
stage.addEventListener('contextmenu', (event) => (drag || held) && event.preventDefault());
window.addEventListener(
  'pointerdown',
  (event) => {
    if (editing && !element.contains(event.target)) setEditing(false);
  },
  true,
);
editButton.addEventListener('click', () => setEditing(!editing));
layer.addEventListener('focusin', choose);
addButton.addEventListener('click', addInTheMiddle);
deleteButton.addEventListener('click', remove);
select.addEventListener('change', () => {
  naming.hidden = select.value !== OTHER;
  if (naming.hidden) return nameBox(select.value);
  newName.value = '';
  newName.focus();
});
// Enter, or leaving the field.
newName.addEventListener('change', () => {
  const name = newName.value.replace(/[;\s]+/g, ' ').trim();
  const className = CLASS_NAMES.find((each) => shownName(each) === name) ?? name;
  naming.hidden = true;
  offer([className]);
  if (selected === null) return show();
  nameBox(className);
  select.focus();
});

function chosenName() {
  return select.value === OTHER ? '' : select.value;
}

function nameBox(name) {
  boxes[selected].class_name = name;
  show();
  tell('Class: ' + (shownName(name) || 'not named'));
}
image.addEventListener('load', () => {
  if (props.value && props.value.image_size) return;
  setSize([image.naturalWidth, image.naturalHeight]);
  show();
});
watch('value', read);
read();
