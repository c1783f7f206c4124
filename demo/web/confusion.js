// The buttons of the matrix are one stop of the Tab key; pressing one scrolls to its photos.
const BUTTONS = 'table.confusion button';

window.detectorPage.oneTabStop(element, BUTTONS);
element.addEventListener('click', (event) => {
  if (event.target.closest(BUTTONS)) {
    document.querySelector('#behind')?.scrollIntoView({ block: 'nearest' });
  }
});
