import { byId } from './dom.js';

const box = byId('lightbox');

/** Shows a picture over the whole page. */
export function showPicture(address, words, fileName) {
  byId('lightbox-picture').src = address;
  byId('lightbox-picture').alt = words || 'Ảnh';
  byId('lightbox-words').textContent = words;
  byId('lightbox-save').href = address;
  byId('lightbox-save').download = fileName;
  box.showModal();
}

byId('lightbox-close').addEventListener('click', () => box.close());
box.addEventListener('click', (event) => {
  if (event.target === box || event.target === byId('lightbox-words')) box.close();
});
