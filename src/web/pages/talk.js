/** The page's way to the server: requests, and the live stream that mends itself. */

export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

const as = () => talk.as;
const withAs = (address) =>
  as() === null ? address : `${address}${address.includes('?') ? '&' : '?'}as=${encodeURIComponent(as())}`;

async function read(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  throw new Refused(response.status, body.error ?? 'Mắt Thần chưa trả lời được, xin thử lại.');
}

export const talk = {
  /** the persona of this tab, null = as logged in */
  as: null,
  csrf: '',

  /** @param {string} address of a file of a line */
  file: (address) => withAs(address),

  state: async () => read(await fetch(withAs('/console/api/state'))),
  older: async (chatId, before) =>
    read(await fetch(withAs(`/console/api/lines?chat=${encodeURIComponent(chatId)}&before=${before}`))),

  async say(words) {
    return read(
      await fetch(withAs('/console/api/say'), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-csrf': talk.csrf },
        body: JSON.stringify(words),
      }),
    );
  },

  /** Sends words with files. @param {(part: number) => void} progress 0 … 1 */
  sayWithFiles(words, files, progress) {
    const form = new FormData();
    for (const [name, value] of Object.entries(words)) if (value !== undefined) form.append(name, value);
    for (const file of files) form.append('file', file, file.name);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('POST', withAs('/console/api/say'));
      request.setRequestHeader('x-csrf', talk.csrf);
      request.responseType = 'json';
      request.upload.addEventListener('progress', (event) => {
        if (event.lengthComputable) progress(event.loaded / event.total);
      });
      request.addEventListener('load', () =>
        request.status < 300
          ? resolve(request.response)
          : reject(new Refused(request.status, request.response?.error ?? 'Chưa gửi được tệp, xin thử lại.')),
      );
      request.addEventListener('error', () => reject(new Error('Mất kết nối')));
      request.send(form);
    });
  },

  async leave() {
    await fetch('/logout', { method: 'POST', headers: { 'x-csrf': talk.csrf } });
  },
};

const SILENCE_MS = 26_000;

/**
 * Listens to the server, and goes on where it was after every break.
 * @param {string} from the position that the state was read at
 * @param {{ line(view: any): void, activity(event: any): void, reset(): void, open(): void, lost(): void, bye(): void }} hear
 */
export function listen(from, hear) {
  let source = null;
  let last = from;
  let wait = 500;
  let silence = 0;
  let again = 0;

  const later = () => {
    source?.close();
    source = null;
    clearTimeout(silence);
    clearTimeout(again);
    hear.lost();
    again = setTimeout(connect, wait + Math.random() * 300);
    wait = Math.min(wait * 1.7, 10_000);
  };
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(later, SILENCE_MS);
  };
  const on = (name, act) =>
    source.addEventListener(name, (event) => {
      alive();
      if (event.lastEventId !== '') last = event.lastEventId;
      act(JSON.parse(event.data));
    });

  function connect() {
    clearTimeout(again);
    source?.close();
    source = new EventSource(withAs(`/console/api/events?last=${encodeURIComponent(last)}`));
    alive();
    on('hello', () => {
      wait = 500;
      hear.open();
    });
    on('line', hear.line);
    on('activity', hear.activity);
    on('reset', hear.reset);
    on('beat', () => {});
    on('bye', () => {
      source.close();
      clearTimeout(silence);
      hear.bye();
    });
    source.addEventListener('error', later);
  }
  const wake = () => {
    if (source === null && document.visibilityState === 'visible') connect();
  };
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', wake);
  connect();
  return { connect };
}
