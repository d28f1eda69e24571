import { byId, make, sign } from './dom.js';

const MOST_BYTES = 50_000_000;
const text = byId('text');
const menu = byId('menu');
const more = byId('more');

/**
 * The writing line: text, files by button, paste or drag, a location.
 * @param {{ send(said: { text: string, files: File[], replyTo: any, place?: any }): void, fault(words: string): void }} tell
 */
export function makeComposer(tell) {
  let files = [];
  let answered = null;

  const grow = () => {
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight, 168)}px`;
    byId('send').disabled = text.value.trim() === '' && files.length === 0;
  };
  const showFiles = () => {
    const box = byId('picked');
    for (const image of box.querySelectorAll('img, video')) URL.revokeObjectURL(image.src);
    box.hidden = files.length === 0;
    box.replaceChildren(
      ...files.map((file) =>
        make(
          'figure',
          {},
          file.type.startsWith('image/')
            ? make('img', { src: URL.createObjectURL(file), alt: '' })
            : file.type.startsWith('video/')
              ? make('video', { src: URL.createObjectURL(file), muted: true, preload: 'metadata' })
              : sign('file'),
          make('figcaption', {}, file.name),
          make(
            'button',
            {
              class: 'icon',
              type: 'button',
              'aria-label': `Bỏ ${file.name}`,
              onclick: () => {
                files = files.filter((each) => each !== file);
                showFiles();
              },
            },
            sign('close'),
          ),
        ),
      ),
    );
    grow();
  };
  const add = (list) => {
    const room = [...list];
    if (room.length === 0) return;
    const next = [...files, ...room].slice(0, 10);
    if (next.reduce((sum, file) => sum + file.size, 0) > MOST_BYTES)
      return tell.fault('Tệp quá lớn: mỗi lần gửi được nhiều nhất 50 MB.');
    files = next;
    showFiles();
    text.focus();
  };
  const quote = (view) => {
    answered = view;
    const box = byId('quote');
    box.hidden = view === null;
    box.replaceChildren();
    if (view === null) return;
    box.append(
      make('span', {}, `Trả lời: ${view.text || 'ảnh, video'}`),
      make(
        'button',
        { class: 'icon', type: 'button', 'aria-label': 'Thôi trả lời', onclick: () => quote(null) },
        sign('close'),
      ),
    );
    text.focus();
  };
  const send = () => {
    const said = { text: text.value.trim(), files, replyTo: answered };
    if (said.text === '' && said.files.length === 0) return;
    text.value = '';
    files = [];
    quote(null);
    showFiles();
    tell.send(said);
    text.focus();
  };
  const showMenu = (open) => {
    menu.hidden = !open;
    more.setAttribute('aria-expanded', String(open));
    if (open) menu.querySelector('button').focus();
  };

  byId('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  text.addEventListener('input', grow);
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  text.addEventListener('paste', (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length === 0) return;
    event.preventDefault();
    add(pasted);
  });
  byId('files').addEventListener('change', (event) => {
    add(event.target.files);
    event.target.value = '';
  });
  more.addEventListener('click', () => showMenu(menu.hidden));
  document.addEventListener('click', (event) => {
    if (!menu.hidden && !more.contains(event.target) && !menu.contains(event.target)) showMenu(false);
  });
  menu.addEventListener('keydown', (event) => {
    const items = [...menu.querySelectorAll('button')];
    const at = items.indexOf(document.activeElement);
    if (event.key === 'ArrowDown') items[(at + 1) % items.length].focus();
    else if (event.key === 'ArrowUp') items.at(at - 1).focus();
    else if (event.key === 'Escape') {
      showMenu(false);
      more.focus();
    } else return;
    event.preventDefault();
  });
  byId('pick').addEventListener('click', () => {
    showMenu(false);
    byId('files').click();
  });

  const pane = document.querySelector('.pane');
  let inside = 0;
  const dragging = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  const drop = (open) => {
    byId('drop').hidden = !open;
    if (!open) inside = 0;
  };
  pane.addEventListener('dragenter', (event) => {
    if (!dragging(event)) return;
    inside += 1;
    drop(true);
  });
  pane.addEventListener('dragleave', () => {
    inside -= 1;
    if (inside <= 0) drop(false);
  });
  pane.addEventListener('dragover', (event) => {
    if (dragging(event)) event.preventDefault();
  });
  pane.addEventListener('drop', (event) => {
    if (!dragging(event)) return;
    event.preventDefault();
    drop(false);
    add(event.dataTransfer.files);
  });

  placeDialog(
    (place) => tell.send({ text: '', files: [], replyTo: null, place }),
    () => showMenu(false),
  );
  grow();
  return {
    quote,
    clear() {
      files = [];
      quote(null);
      showFiles();
    },
    placeholder(words) {
      text.placeholder = words;
    },
  };
}

function placeDialog(done, closeMenu) {
  const dialog = byId('place-dialog');
  const fault = byId('place-fault');
  const written = byId('place-text');
  byId('pick-place').addEventListener('click', () => {
    closeMenu();
    fault.textContent = '';
    written.value = '';
    dialog.showModal();
  });
  byId('place-cancel').addEventListener('click', () => dialog.close());
  byId('place-here').addEventListener('click', () => {
    if (!navigator.geolocation) {
      fault.textContent = 'Máy này không cho biết vị trí. Hãy gõ vĩ độ, kinh độ.';
      return;
    }
    fault.textContent = '';
    byId('place-here').disabled = true;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        byId('place-here').disabled = false;
        dialog.close();
        done({ latitude: coords.latitude, longitude: coords.longitude });
      },
      () => {
        byId('place-here').disabled = false;
        fault.textContent = 'Chưa lấy được vị trí. Hãy cho phép, hoặc gõ vĩ độ, kinh độ.';
      },
      { enableHighAccuracy: true, timeout: 15_000 },
    );
  });
  byId('place-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const match = /^\s*(-?\d{1,2}(?:[.,]\d+)?)\s*[,; ]\s*(-?\d{1,3}(?:[.,]\d+)?)\s*$/.exec(written.value);
    const latitude = match ? Number(match[1].replace(',', '.')) : Number.NaN;
    const longitude = match ? Number(match[2].replace(',', '.')) : Number.NaN;
    if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
      fault.textContent = 'Hãy gõ như: 20.1234, 105.4567';
      return;
    }
    dialog.close();
    done({ latitude, longitude });
  });
}
