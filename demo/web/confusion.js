// The buttons of the matrix are one stop of the Tab key; arrow keys move among them.
const STEPS = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]};

function buttons() {
  return [...element.querySelectorAll('table.confusion button')];
}

function place(button) {
  return [Number(button.dataset.row), Number(button.dataset.column)];
}

function onlyStop(button) {
  for (const other of buttons()) other.tabIndex = other === button ? 0 : -1;
}

function firstStop() {
  const all = buttons();
  if (all.length && !all.some((button) => button.tabIndex === 0)) onlyStop(all[0]);
}

element.addEventListener('keydown', (event) => {
  const step = STEPS[event.key];
  const from = event.target.closest('table.confusion button');
  if (!step || !from) return;
  event.preventDefault();
  const [row, column] = place(from);
  // The nearest button of the same row or column in that direction; empty cells are skipped.
  const ahead = buttons().map((button) => {
    const [r, c] = place(button);
    const along = (r - row) * step[0] + (c - column) * step[1];
    const aside = step[0] ? c - column : r - row;
    return {button, along: aside === 0 ? along : 0};
  }).filter((other) => other.along > 0);
  ahead.sort((one, other) => one.along - other.along);
  if (ahead.length) ahead[0].button.focus();
});
element.addEventListener('focusin', (event) => {
  const button = event.target.closest('table.confusion button');
  if (button) onlyStop(button);
});
element.addEventListener('click', (event) => {
  if (event.target.closest('table.confusion button')) {
    document.querySelector('#behind')?.scrollIntoView({block: 'nearest'});
  }
});
watch('value', firstStop);
firstStop();
