import { clockText, hueOf, make, sign, sizeText } from './dom.js';
import { showPicture } from './lightbox.js';
import { talk } from './talk.js';

const ADDRESS = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)]/g;

/** Text with its web addresses made into links. @param {string} text */
export function words(text) {
  const element = make('div', { class: 'text' });
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    element.append(text.slice(from, match.index), linkTo(match[0], match[0]));
    from = match.index + match[0].length;
  }
  element.append(text.slice(from));
  return element;
}

const linkTo = (address, label, more = {}) =>
  make('a', { href: address, rel: 'noreferrer noopener', target: '_blank', ...more }, label);

/** Opened by a link of ours to the private chat; the page itself goes there. */
const isOurs = (address) => {
  const url = new URL(address, location.href);
  return url.origin === location.origin && url.pathname === '/console' && url.hash !== '';
};

function picture(file, view) {
  const address = talk.file(file.url);
  const image = make('img', { src: address, alt: view.text || 'Ảnh', loading: 'lazy' });
  if (file.width && file.height) {
    image.width = file.width;
    image.height = file.height;
    image.style.aspectRatio = `${file.width} / ${file.height}`;
    image.style.height = 'auto';
  }
  return make(
    'button',
    {
      class: 'shot',
      type: 'button',
      'aria-label': 'Xem ảnh lớn',
      onclick: () => showPicture(address, view.text, file.fileName),
    },
    image,
  );
}

function film(file) {
  const video = make('video', {
    src: `${talk.file(file.url)}#t=0.001`,
    controls: true,
    playsinline: true,
    preload: 'metadata',
    'aria-label': `Video ${file.fileName}`,
  });
  if (file.width && file.height) video.style.aspectRatio = `${file.width} / ${file.height}`;
  return video;
}

function paper(file) {
  const address = talk.file(file.url);
  return make(
    'a',
    { class: 'paper', href: `${address}${address.includes('?') ? '&' : '?'}tai=1`, download: file.fileName },
    make('span', {}, sign('file')),
    make('span', {}, make('b', {}, file.fileName), make('small', {}, sizeText(file.sizeBytes))),
  );
}

function media(view) {
  const seen = view.files.filter((file) => file.kind === 'photo' || file.kind === 'video');
  const rest = view.files.filter((file) => !seen.includes(file));
  const parts = [];
  if (seen.length > 0) {
    const box = make('div', { class: seen.length > 1 ? 'media many' : 'media' });
    if (seen.length > 1 || seen[0].kind === 'video') box.classList.add('film');
    box.append(...seen.map((file) => (file.kind === 'photo' ? picture(file, view) : film(file))));
    parts.push(box);
  }
  for (const file of rest)
    parts.push(
      file.kind === 'audio'
        ? make(
            'div',
            { class: 'media film' },
            make('audio', { src: talk.file(file.url), controls: true, preload: 'metadata' }),
          )
        : paper(file),
    );
  return parts;
}

function spot(place) {
  const at = `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`;
  const address = `https://www.openstreetmap.org/?mlat=${place.latitude}&mlon=${place.longitude}#map=17/${place.latitude}/${place.longitude}`;
  return linkTo(address, make('span', {}, at), { class: 'spot' });
}

/**
 * One line of the conversation.
 * @param {any} view as the server gives it, or a waiting one of our own
 * @param {{ mine: boolean, first: boolean, inGroup: boolean, answered: any, press(view: any, row: number, column: number, label: string): void, open(address: string): void, reply(view: any): void }} around
 */
export function bubble(view, around) {
  const line = make('div', {
    class: `line${around.mine ? ' mine' : ''}${around.first ? ' first' : ''}`,
    'data-id': view.id,
  });
  if (around.first && !around.mine && around.inGroup) {
    const name = view.from?.name ?? 'Mắt Thần';
    const sender = make('p', { class: 'sender' }, name);
    sender.style.setProperty('--hue', view.from === null ? '168' : hueOf(name));
    line.append(sender);
  }
  const box = make('div', { class: 'bubble' });
  if (around.answered)
    box.append(
      make(
        'button',
        {
          class: 'answering',
          type: 'button',
          onclick: () =>
            document
              .querySelector(`[data-id="${around.answered.id}"]`)
              ?.scrollIntoView({ block: 'center', behavior: 'smooth' }),
        },
        around.answered.text || 'Ảnh, video',
      ),
    );
  if (view.files.some((file) => file.kind === 'photo' || file.kind === 'video'))
    box.classList.add('with-media');
  box.append(...media(view));
  if (view.place) {
    const place = spot(view.place);
    place.prepend(sign('place'));
    box.append(place);
  }
  if (view.text !== '') box.append(words(view.text));
  const when = make('time', { class: 'time', datetime: new Date(view.sentMs).toISOString() });
  when.append(clockText(view.sentMs));
  box.append(when);
  if (view.from === null && around.inGroup)
    line.append(
      make(
        'div',
        { class: 'with-reply' },
        box,
        make(
          'button',
          {
            class: 'icon',
            type: 'button',
            'aria-label': 'Trả lời tin này',
            onclick: () => around.reply(view),
          },
          sign('reply'),
        ),
      ),
    );
  else line.append(box);
  if (view.buttons.length > 0) line.append(keys(view, around));
  return line;
}

function keys(view, around) {
  const box = make('div', { class: 'keys', role: 'group', 'aria-label': 'Nút bấm' });
  view.buttons.forEach((row, rowAt) => {
    const cells = row.map((button, at) => {
      if (!('url' in button))
        return make(
          'button',
          { class: 'key', type: 'button', onclick: () => around.press(view, rowAt, at, button.label) },
          button.label,
        );
      if (isOurs(button.url))
        return make(
          'button',
          { class: 'key', type: 'button', onclick: () => around.open(button.url) },
          button.label,
        );
      return linkTo(button.url, button.label, { class: 'key' });
    });
    box.append(make('div', {}, ...cells));
  });
  return box;
}

const DOING = {
  typing: '',
  'sending-photo': 'đang gửi ảnh',
  'sending-video': 'đang gửi video',
};

/** The three dots. @param {string} activity */
export function typingBubble(activity) {
  return make(
    'div',
    { class: 'line first typing', 'aria-label': 'Mắt Thần đang trả lời' },
    make(
      'div',
      { class: 'bubble' },
      make('i'),
      make('i'),
      make('i'),
      DOING[activity] ? make('em', {}, DOING[activity]) : null,
    ),
  );
}
