import { botFace, byId, face, groupFace, make } from './dom.js';

const app = byId('app');

export function openSide(open) {
  app.classList.toggle('side-open', open);
  byId('veil').tabIndex = open ? 0 : -1;
  if (open) byId('close-side').focus();
}
byId('open-side').addEventListener('click', () => openSide(true));
byId('me').addEventListener('click', () => openSide(true));
byId('close-side').addEventListener('click', () => openSide(false));
byId('veil').addEventListener('click', () => openSide(false));
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') openSide(false);
});

/** Light, dark, or as the device says. */
const theme = localStorage.getItem('theme');
if (theme) document.documentElement.dataset.theme = theme;
byId('theme').addEventListener('click', () => {
  const now =
    document.documentElement.dataset.theme ??
    (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  const next = now === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  localStorage.setItem('theme', next);
});

const lastWords = (view) => {
  if (!view) return '';
  const what =
    view.text ||
    (view.place
      ? 'Vị trí'
      : view.files[0]?.kind === 'photo'
        ? 'Ảnh'
        : view.files.length > 0
          ? 'Tệp, video'
          : '');
  return view.from === null ? what : `${view.from.name}: ${what}`;
};

/**
 * Draws the people (demo) and the chats.
 * @param {{ me: any, people: any[] | null, chats: any[], open: string, latest(chatId: string): any, unread(userId: string, chatId: string): number, choose(chatId: string): void, become(userId: string): void }} now
 */
export function drawSide(now) {
  byId('persona-box').hidden = now.people === null;
  byId('mode').textContent = now.people === null ? 'Camera với an ninh trật tự' : 'Bản dùng thử trên máy này';
  byId('who').textContent =
    now.people === null ? `${now.me.name} · ${now.me.roleName}` : 'Dữ liệu thử, không có người thật';
  if (now.people !== null) {
    const focused = document.activeElement?.dataset?.person;
    byId('people').replaceChildren(
      ...now.people.map((person) => {
        const chosen = person.userId === now.me.userId;
        const waiting = !chosen && person.chats.some((chat) => now.unread(person.userId, chat.chatId) > 0);
        return make(
          'button',
          {
            class: 'entry',
            type: 'button',
            role: 'radio',
            'aria-checked': String(chosen),
            'data-person': person.userId,
            tabindex: chosen ? '0' : '-1',
            onclick: () => now.become(person.userId),
            onkeydown: (event) => {
              const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
              if (!step) return;
              event.preventDefault();
              const at = now.people.indexOf(person) + step;
              byId('people').children[(at + now.people.length) % now.people.length].focus();
            },
          },
          face(person.name),
          make('span', { class: 'words-2' }, make('b', {}, person.name), make('small', {}, person.roleName)),
          waiting ? make('span', { class: 'dot', role: 'img', 'aria-label': 'có tin mới' }) : null,
        );
      }),
    );
    if (focused) document.querySelector(`[data-person="${focused}"]`)?.focus();
  }
  let others = 0;
  byId('chats').replaceChildren(
    ...now.chats.map((chat) => {
      const count = chat.chatId === now.open ? 0 : now.unread(now.me.userId, chat.chatId);
      others += count;
      return make(
        'li',
        {},
        make(
          'button',
          {
            class: 'entry',
            type: 'button',
            'data-chat': chat.chatId,
            'aria-current': chat.chatId === now.open ? 'true' : undefined,
            onclick: () => now.choose(chat.chatId),
          },
          chat.kind === 'private' ? botFace() : groupFace(chat.title),
          make(
            'span',
            { class: 'words-2' },
            make('b', {}, chat.title),
            make(
              'small',
              {},
              lastWords(now.latest(chat.chatId)) ||
                (chat.kind === 'private' ? 'Nói chuyện riêng' : 'Nhóm chat'),
            ),
          ),
          count > 0
            ? make(
                'span',
                { class: 'badge', 'aria-label': `${count} tin chưa đọc` },
                String(Math.min(count, 99)),
              )
            : null,
        ),
      );
    }),
  );
  byId('others').hidden = others === 0;
  byId('others').textContent = String(Math.min(others, 99));
  document.title = others > 0 ? `(${others}) Mắt Thần` : 'Mắt Thần';
  byId('me').hidden = now.people === null;
  byId('me').setAttribute('aria-label', `Đang là ${now.me.name}, ${now.me.roleName}. Bấm để đổi người`);
  byId('me').replaceChildren(face(now.me.name), make('span', {}, now.me.name));
}
