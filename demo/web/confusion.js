// The buttons of the matrix are one stop of the Tab key; pressing one scrolls to its photos.
const BUTTONS = 'table.confusion button';

/** On a phone not all columns fit. */
function showMore() {
  const scroller = element.querySelector('.scroll');
  if (scroller) window.detectorPage.showMore(scroller);
}

watch('value', showMore);
showMore();
window.detectorPage.oneTabStop(element, BUTTONS);
element.addEventListener('click', (event) => {
  if (event.target.closest(BUTTONS)) {
    document.querySelector('#behind')?.scrollIntoView({ block: 'nearest' });
  }
});
