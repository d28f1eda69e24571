import { bubble, typingBubble } from './bubble.js';
import { makeComposer } from './composer.js';
import { botFace, byId, dayKey, dayText, groupFace, make } from './dom.js';
import { drawSide, openSide } from './side.js';
import { listen, Refused, talk } from './talk.js';

const scroll = byId('scroll');
scroll.tabIndex = 0;
const list = byId('lines');
const GROUP_TRIES = ['/anh 1', '@matthan camera', '/trogiup'];
/** the bot says "typing" again and again while it works; silence ends it */
const ACTIVITY_MS = 7_000;

/** @type {{ person: any, chats: any[], suggestions: string[], people: any[] | null } | null} */
let me = null;
let open = '';
/** lines of each chat by id, and our own that are on their way by clientId */
const chats = new Map();
const activity = new Map();
let triesShown = false;
let connected = false;

const chatOf = (chatId) => {
  if (!chats.has(chatId)) chats.set(chatId, { lines: new Map(), waiting: new Map(), whole: false });
  return chats.get(chatId);
};
const sorted = (chatId) => [...chatOf(chatId).lines.values()].sort((a, b) => a.id - b.id);
const latest = (chatId) => sorted(chatId).at(-1);
const readKey = (userId, chatId) => `read:${userId}:${chatId}`;
const lastRead = (userId, chatId) => Number(localStorage.getItem(readKey(userId, chatId)) ?? 0);
const unread = (userId, chatId) =>
  [...chatOf(chatId).lines.values()].filter(
    (line) => line.id > lastRead(userId, chatId) && line.from?.userId !== userId,
  ).length;
const openChat = () => me.chats.find((chat) => chat.chatId === open) ?? me.chats[0];
const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
const toEnd = () => {
  scroll.scrollTop = scroll.scrollHeight;
};

function markRead() {
  if (document.visibilityState !== 'visible' || me === null) return;
  const last = latest(open);
  if (last && last.id > lastRead(me.person.userId, open))
    localStorage.setItem(readKey(me.person.userId, open), String(last.id));
}

function side() {
  drawSide({ me: me.person, people: me.people, chats: me.chats, open, latest, unread, choose, become });
}

function top() {
  const chat = openChat();
  byId('chat-title').textContent = chat.title;
  byId('chat-face').replaceWith(
    Object.assign(chat.kind === 'private' ? botFace() : groupFace(chat.title), { id: 'chat-face' }),
  );
  const doing = activity.get(open)?.activity;
  const state = byId('chat-state');
  state.classList.toggle('busy', doing !== undefined && connected);
  state.textContent = !connected
    ? 'Đang kết nối lại…'
    : doing === undefined
      ? chat.kind === 'private'
        ? 'Đang trực'
        : 'Nhóm · gọi bot bằng /lệnh hoặc @matthan'
      : { typing: 'Đang trả lời…', 'sending-photo': 'Đang gửi ảnh…', 'sending-video': 'Đang gửi video…' }[
          doing
        ];
}

const tryChip = (words) =>
  make(
    'button',
    { class: 'try', type: 'button', onclick: () => send({ text: words, files: [], replyTo: null }) },
    words,
  );
const tries = () => (openChat().kind === 'private' ? me.suggestions : GROUP_TRIES);

function drawTries() {
  const box = byId('tries');
  const empty = chatOf(open).lines.size === 0;
  box.hidden = !triesShown || empty;
  box.replaceChildren(...tries().map(tryChip));
  byId('idea').setAttribute('aria-pressed', String(triesShown));
}

function emptyState() {
  const chat = openChat();
  const name = me.person.name;
  return make(
    'div',
    { class: 'empty' },
    make('img', { src: '/assets/eye.svg', alt: '' }),
    make('h2', {}, chat.kind === 'private' ? `Chào ${name}!` : chat.title),
    make(
      'p',
      {},
      chat.kind === 'private'
        ? 'Nhắn như nhắn cho một người. Thử một câu:'
        : 'Trong nhóm, Mắt Thần chỉ nghe khi được gọi bằng /lệnh, @matthan, trả lời tin của nó, hoặc bấm nút.',
    ),
    make('div', { class: 'tries' }, ...tries().map(tryChip)),
  );
}

function drawn(line, before) {
  const mine = line.from?.userId === me.person.userId;
  const first =
    !before ||
    before.from?.userId !== line.from?.userId ||
    line.sentMs - before.sentMs > 300_000 ||
    dayKey(before.sentMs) !== dayKey(line.sentMs);
  return bubble(line, {
    mine,
    first,
    inGroup: openChat().kind === 'group',
    answered: line.replyTo === null ? null : chatOf(open).lines.get(line.replyTo),
    press,
    open: follow,
    reply: (view) => composer.quote(view),
  });
}
const dayMark = (ms) => make('div', { class: 'day' }, dayText(ms));

/** Draws the open chat anew. */
function draw() {
  const lines = sorted(open);
  const chat = chatOf(open);
  list.replaceChildren();
  if (lines.length === 0 && chat.waiting.size === 0) list.append(emptyState());
  else {
    list.append(make('div', { class: 'spacer' }));
    if (!chat.whole && lines.length >= 40)
      list.append(make('button', { class: 'older', type: 'button', onclick: older }, 'Xem tin cũ hơn'));
    lines.forEach((line, at) => {
      const before = lines[at - 1];
      if (!before || dayKey(before.sentMs) !== dayKey(line.sentMs)) list.append(dayMark(line.sentMs));
      list.append(drawn(line, before));
    });
    for (const waiting of chat.waiting.values()) list.append(waiting.element);
  }
  drawTyping();
  drawTries();
  top();
  toEnd();
}

function drawTyping() {
  list.querySelector('.typing')?.remove();
  const doing = activity.get(open);
  if (doing) list.append(typingBubble(doing.activity));
}

async function older() {
  const first = sorted(open)[0];
  const { lines } = await talk.older(open, first.id);
  const chat = chatOf(open);
  for (const line of lines) chat.lines.set(line.id, line);
  chat.whole = lines.length < 40;
  const height = scroll.scrollHeight;
  draw();
  scroll.scrollTop = scroll.scrollHeight - height;
}

/** Takes in one line: a new one is added at its place, a changed one changes where it stands. */
function take(line) {
  const chat = chatOf(line.chatId);
  const known = chat.lines.get(line.id);
  if (known && known.rev >= line.rev) return;
  const before = latest(line.chatId);
  chat.lines.set(line.id, line);
  if (line.clientId !== null) {
    chat.waiting.get(line.clientId)?.element.remove();
    chat.waiting.delete(line.clientId);
  }
  if (line.from === null) quiet(line.chatId);
  if (line.chatId !== open) return side();
  const stay = atEnd();
  if (known) {
    const lines = sorted(open);
    const at = lines.findIndex((each) => each.id === line.id);
    list.querySelector(`[data-id="${line.id}"]`)?.replaceWith(drawn(line, lines[at - 1]));
  } else if (before && before.id < line.id && !list.querySelector('.empty')) {
    const element = drawn(line, before);
    element.classList.add('fresh');
    const next = list.querySelector('.waiting, .typing');
    if (dayKey(before.sentMs) !== dayKey(line.sentMs)) list.insertBefore(dayMark(line.sentMs), next);
    list.insertBefore(element, next);
  } else draw();
  const mine = line.from?.userId === me.person.userId;
  if (stay || mine) settle();
  else byId('to-end').hidden = false;
  markRead();
  side();
  drawTries();
}

/** Keeps the end in view while pictures take their place. */
function settle() {
  toEnd();
  for (const media of list.querySelectorAll('.line:nth-last-child(-n+3) :is(img, video)'))
    media.addEventListener(media.tagName === 'IMG' ? 'load' : 'loadedmetadata', () => toEnd(), {
      once: true,
    });
}

function quiet(chatId) {
  clearTimeout(activity.get(chatId)?.timer);
  if (!activity.delete(chatId) || chatId !== open) return;
  drawTyping();
  top();
}

function busy(event) {
  quiet(event.chatId);
  activity.set(event.chatId, {
    activity: event.activity,
    timer: setTimeout(() => quiet(event.chatId), ACTIVITY_MS),
  });
  if (event.chatId !== open) return;
  const stay = atEnd();
  drawTyping();
  top();
  if (stay) toEnd();
}

/** Sends; what is on its way is seen at once, and stays with a button when it could not be sent. */
function send({ text, files, replyTo, place, press: pressed, shown }, chatId = open) {
  const said = { chatId, clientId: crypto.randomUUID(), text, replyTo: replyTo?.id };
  const view = {
    id: 0,
    rev: 0,
    chatId,
    sentMs: Date.now(),
    from: me.person,
    text: shown ?? (text || files.map((file) => file.name).join(', ')),
    buttons: [],
    files: [],
    place: place ?? null,
    replyTo: null,
  };
  const element = bubble(view, { mine: true, first: true, inGroup: false, answered: null });
  element.classList.add('waiting');
  const bar = make('i');
  if (files.length > 0) element.querySelector('.bubble').append(make('div', { class: 'bar' }, bar));
  const problem = make('div', { class: 'problem', role: 'alert' });
  element.append(problem);
  const chat = chatOf(chatId);

  const go = async () => {
    element.classList.remove('failed');
    problem.replaceChildren();
    try {
      const { line } =
        files.length > 0
          ? await talk.sayWithFiles(said, files, (part) => {
              bar.style.width = `${Math.round(part * 100)}%`;
            })
          : await talk.say({ ...said, place, press: pressed });
      take(line);
    } catch (error) {
      if (!chat.waiting.has(said.clientId)) return;
      if (error instanceof Refused && error.status === 401) return gone();
      const lost = !(error instanceof Refused) || error.status >= 500;
      element.classList.add('failed');
      chat.waiting.get(said.clientId).retry = lost ? go : null;
      problem.append(
        lost ? 'Chưa gửi được.' : error.message,
        lost
          ? make('button', { type: 'button', onclick: go }, 'Gửi lại')
          : make(
              'button',
              {
                type: 'button',
                onclick: () => {
                  chat.waiting.delete(said.clientId);
                  element.remove();
                },
              },
              'Bỏ',
            ),
      );
    }
  };
  chat.waiting.set(said.clientId, { element, retry: null });
  if (chatId === open) {
    list.querySelector('.empty')?.remove();
    if (!list.querySelector('.spacer')) list.prepend(make('div', { class: 'spacer' }));
    list.insertBefore(element, list.querySelector('.typing'));
    toEnd();
  }
  void go();
}

const press = (view, row, column, label) =>
  send(
    { text: '', files: [], replyTo: null, press: { line: view.id, row, column }, shown: label },
    view.chatId,
  );

/** A link of ours: to the private chat, perhaps with something to start with. */
function follow(address) {
  const { hash } = new URL(address, location.href);
  choose(me.chats.find((chat) => chat.kind === 'private').chatId);
  const start = /^#start=([\w%-]+)$/.exec(hash)?.[1];
  send({
    text: start === undefined ? '/start' : `/start ${decodeURIComponent(start)}`,
    files: [],
    replyTo: null,
  });
}

function choose(chatId) {
  open = chatId;
  sessionStorage.setItem('open', open);
  composer.clear();
  composer.placeholder(openChat().kind === 'private' ? 'Nhắn cho Mắt Thần…' : 'Nhắn trong nhóm…');
  byId('to-end').hidden = true;
  markRead();
  draw();
  side();
  settle();
  openSide(false);
}

async function become(userId) {
  talk.as = userId;
  sessionStorage.setItem('as', userId);
  const chat = me.people?.find((person) => person.userId === userId)?.chats[0];
  open = chat?.chatId ?? '';
  await load();
  openSide(false);
}

/** Asks for everything there is to see. */
async function load() {
  try {
    const state = await talk.state();
    me = state;
    talk.csrf = state.csrf;
    if (state.people !== null) talk.as = state.person.userId;
    for (const [chatId, lines] of Object.entries(state.latest)) {
      const chat = chatOf(chatId);
      chat.whole = lines.length < 40;
      // Only what is newer than the answer stays: older lines might have a gap before it.
      const newest = lines.at(-1)?.id ?? 0;
      for (const id of chat.lines.keys())
        if (id < newest && !lines.some((line) => line.id === id)) chat.lines.delete(id);
      for (const line of lines) {
        if ((chat.lines.get(line.id)?.rev ?? -1) <= line.rev) chat.lines.set(line.id, line);
        if (line.clientId !== null) chat.waiting.delete(line.clientId);
      }
    }
    byId('leave').hidden = state.people !== null;
    if (byId('gone').open) byId('gone').close();
    choose(me.chats.some((chat) => chat.chatId === open) ? open : me.chats[0].chatId);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      if (talk.as !== null) {
        talk.as = null;
        sessionStorage.removeItem('as');
        return load();
      }
      gone();
    }
    return false;
  }
}

function gone() {
  connected = false;
  if (!byId('gone').open) byId('gone').showModal();
}

function strip(words) {
  byId('strip').textContent = words;
  byId('strip').hidden = words === '';
}

const composer = makeComposer({
  send,
  fault(words) {
    strip(words);
    setTimeout(() => strip(''), 5_000);
  },
});

byId('to-end').addEventListener('click', () => {
  scroll.scrollTo({ top: scroll.scrollHeight, behavior: 'smooth' });
});
scroll.addEventListener('scroll', () => {
  byId('to-end').hidden = atEnd() || scroll.scrollHeight <= scroll.clientHeight + 200;
});
byId('idea').addEventListener('click', () => {
  triesShown = !triesShown;
  drawTries();
});
byId('gone-again').addEventListener('click', () => location.reload());
byId('leave').addEventListener('click', async () => {
  await talk.leave();
  gone();
});
document.addEventListener('visibilitychange', () => {
  if (me === null) return;
  markRead();
  side();
});

const asked = new URLSearchParams(location.search);
talk.as = asked.get('as') ?? sessionStorage.getItem('as');
open = asked.get('chat') ?? sessionStorage.getItem('open') ?? '';
const hash = location.hash;
let lostTimer = 0;

async function reset() {
  if (!(await load()) && !byId('gone').open) setTimeout(reset, 1_500);
}

async function begin() {
  const loaded = await load();
  if (!loaded) {
    if (!byId('gone').open) {
      strip('Chưa nối được với Mắt Thần, đang thử lại…');
      setTimeout(begin, 1_500);
    }
    return;
  }
  strip('');
  if (hash.startsWith('#start=') || hash === '#rieng') {
    history.replaceState(null, '', location.pathname + location.search);
    if (hash.startsWith('#start=')) follow(hash);
    else choose(me.chats[0].chatId);
  }
  listen(me.position, {
    line: take,
    activity: busy,
    reset,
    open() {
      connected = true;
      clearTimeout(lostTimer);
      strip('');
      top();
      document.body.dataset.live = 'yes';
      for (const chat of chats.values()) for (const { retry } of chat.waiting.values()) void retry?.();
    },
    lost() {
      if (connected) lostTimer = setTimeout(() => strip('Mất kết nối, đang nối lại…'), 1_200);
      connected = false;
      delete document.body.dataset.live;
      top();
    },
    bye: gone,
  });
}
void begin();
