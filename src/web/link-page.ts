import { toVietnamTime } from '../base/clock.js';
import { sayDay, sayMoment, sayRange, sayShortClock } from '../base/vietnamese/say.js';
import type { Shown } from '../chat/message.js';
import type { LinkFacts } from '../store/links.js';
import type { Closed } from './link-verdict.js';
import type { LinkPayload, StoredFile } from './links.js';
import { escapeHtml, htmlPage } from './notice.js';

/** What a chat's preview shows of any link of ours: the same for all, whatever is behind it. */
const NEUTRAL = 'Mắt Thần: một đoạn video được gửi cho anh/chị';
const HEAD = `<meta property="og:title" content="${NEUTRAL}">
<meta property="og:description" content="Bấm vào để xem.">
<meta property="og:site_name" content="Mắt Thần">
<meta name="referrer" content="no-referrer">
`;

const until = (ms: number) => `${sayShortClock(Math.floor(ms / 60_000) * 60_000)}, ${sayDay(ms)}`;

const wrap = (unit: string, title: string, main: string) =>
  htmlPage({
    title: `${title} · Mắt Thần`,
    style: 'link.css',
    head: HEAD,
    body: `<header><img src="/assets/eye.svg" alt="" width="40" height="40"><span>Mắt Thần<small>${escapeHtml(unit)}</small></span></header>
<main>
${main}
</main>`,
  });

const paragraphs = (lines: string[]) => lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n');

const CLOSED: Record<Closed | 'gone', { title: string; lines: string[] }> = {
  unknown: {
    title: 'Không có gì ở đường dẫn này',
    lines: ['Có thể đường dẫn bị thiếu vài chữ, hoặc đã cũ lắm rồi.'],
  },
  expired: {
    title: 'Đường dẫn này đã hết hạn',
    lines: ['Để giữ kín hình ảnh, mỗi đường dẫn chỉ mở được trong một thời gian.'],
  },
  revoked: {
    title: 'Đường dẫn này đã được thu lại',
    lines: ['Người gửi hoặc trưởng công an đã đóng đường dẫn này.'],
  },
  'other-device': {
    title: 'Đường dẫn này đã mở trên một máy khác',
    lines: [
      'Mỗi đường dẫn chỉ mở trên một máy, trong đúng trình duyệt đã mở đầu tiên. Nếu lần trước anh/chị mở ngay trong ứng dụng chat, hãy bấm lại từ tin nhắn đó.',
      'Nếu người khác chuyển đường dẫn cho anh/chị: xin nhờ họ yêu cầu giúp, hoặc tự hỏi xin đường dẫn riêng.',
    ],
  },
  locked: {
    title: 'Đường dẫn này đã bị khóa',
    lines: ['Mã mở đã bị nhập sai quá nhiều lần.'],
  },
  gone: {
    title: 'Tệp này không còn trên máy chủ',
    lines: ['Tệp đã được dọn đi trước khi anh/chị kịp mở.'],
  },
};

/** Why a link does not open, and what to do. */
export function closedPage(unit: string, why: Closed | 'gone'): string {
  const { title, lines } = CLOSED[why];
  return wrap(
    unit,
    title,
    `<h1>${title}</h1>
${paragraphs([...lines, 'Anh/chị vẫn cần xem? Hãy nhắn lại yêu cầu cho Mắt Thần để nhận đường dẫn mới.'])}`,
  );
}

/** The page that a preview's fetcher gets as well: one button, and nothing of what is behind it. */
export function askPage(unit: string, link: LinkFacts, wrongPin: boolean): string {
  const { oneDevice } = (link.payload as LinkPayload).about;
  const pin = link.hasPin
    ? `<label for="pin">Mã mở (Mắt Thần gửi ở tin nhắn riêng)</label>
<input id="pin" name="pin" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{4,6}" maxlength="6" required>
${wrongPin ? '<p class="alert" role="alert">Mã chưa đúng. Anh/chị xem lại tin nhắn rồi nhập lại nhé.</p>' : ''}`
    : '';
  return wrap(
    unit,
    'Có hình gửi cho anh/chị',
    `<h1>Có hình gửi cho anh/chị</h1>
${paragraphs(oneDevice ? ['Đường dẫn chỉ mở được trên một máy: máy bấm nút này đầu tiên.'] : [])}
<form method="post">
${pin}
<button class="big">Xem</button>
</form>
<p class="quiet">Mở được đến ${until(link.expiresMs)}.</p>`,
  );
}

/** Codecs that phones play in a page; H.265 on many, others on hardly any. */
const PLAYS = ['h264', 'vp8', 'vp9', 'av1'];

function player(file: StoredFile, address: string): string {
  const { codec = 'h264', mime, poster } = file;
  if (mime.startsWith('image/'))
    return `<a href="${address}"><img class="shot" src="${address}" alt="${escapeHtml(titleOf(file))}"></a>`;
  if (mime.startsWith('audio/')) return `<audio controls preload="metadata" src="${address}"></audio>`;
  if (!mime.startsWith('video/')) return '';
  const picture = poster === undefined ? '' : `${address}/hinh`;
  const video = `<video controls playsinline preload="metadata" src="${address}"${picture === '' ? '' : ` poster="${picture}"`}></video>`;
  if (PLAYS.includes(codec)) return video;
  const note = (text: string) => `<p class="note">${text}</p>`;
  if (codec === 'hevc')
    return `${video}\n${note('Video này ở dạng H.265, có điện thoại không phát được ngay ở đây. Nếu không thấy hình, anh/chị bấm “Tải về máy” rồi mở bằng ứng dụng VLC.')}`;
  return `${picture === '' ? '' : `<img class="shot" src="${picture}" alt="">\n`}${note('Video này ở dạng trình duyệt không phát được. Anh/chị bấm “Tải về máy” rồi mở bằng ứng dụng VLC.')}`;
}

const sayWhen = ({ startMs, endMs }: Shown) =>
  startMs === endMs ? sayMoment(startMs) : sayRange(startMs, endMs);

const titleOf = ({ shows, fileName }: StoredFile) =>
  shows === undefined ? fileName : `Camera ${shows.camera}`;

const megabytes = (bytes: number) =>
  bytes < 100_000 ? '' : ` (${(bytes / 1e6).toFixed(1).replace('.', ',')} MB)`;

/** The lines of a caption that say more than the title and the span already do. */
const restOf = (caption: string, title: string) =>
  caption
    .split('\n')
    .filter((line) => line.trim() !== '' && line !== title)
    .map((line) => escapeHtml(line))
    .join('<br>');

function piece(file: StoredFile, at: number, sizeBytes: number | null, token: string, parted: boolean) {
  const title = titleOf(file);
  const address = `/m/${token}/${at + 1}`;
  const heading = `${parted ? `<small>${at + 1}. </small>` : ''}${escapeHtml(title)}`;
  const span = file.shows === undefined ? '' : `<p class="span">${sayWhen(file.shows)}</p>`;
  const caption = file.caption === undefined ? '' : restOf(file.caption, title);
  return `<section>
${sizeBytes === null ? `<p class="note">${CLOSED.gone.title}. Anh/chị nhắn lại cho Mắt Thần để nhận bản mới nhé.</p>` : player(file, address)}
<h${parted ? 2 : 1}>${heading}</h${parted ? 2 : 1}>
${span}
${caption === '' ? '' : `<p>${caption}</p>`}
${sizeBytes === null ? '' : `<a class="big" href="${address}/tai-ve" download>Tải về máy${megabytes(sizeBytes)}</a>`}
</section>`;
}

/**
 * What was sent: every file with what it is, then who may see it and until when.
 * @param sizes of the files in bytes; null = gone
 * @param askedBy name of who asked; null = nobody in particular
 */
export function openPage(
  unit: string,
  link: LinkFacts,
  sizes: (number | null)[],
  token: string,
  askedBy: string | null,
): string {
  const { files, about } = link.payload as LinkPayload;
  const parted = files.length > 1;
  const facts: [string, string][] = [];
  if (askedBy !== null) facts.push(['Người yêu cầu', askedBy]);
  if (about.inboxId != null) facts.push(['Yêu cầu số', String(about.inboxId)]);
  facts.push([
    'Ai được xem',
    about.oneDevice ? 'Chỉ người yêu cầu, trên máy này' : 'Người được gửi trong chat',
  ]);
  facts.push(['Mở được đến', until(link.expiresMs)]);
  const title = parted ? `${files.length} tệp gửi cho anh/chị` : titleOf(files[0]!);
  return wrap(
    unit,
    title,
    `${parted ? `<h1>${title}</h1>\n` : ''}${files.map((file, at) => piece(file, at, sizes[at] ?? null, token, parted)).join('\n')}
<dl>
${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join('\n')}
</dl>
<p class="quiet">Hình ảnh chỉ dùng cho việc được giao. Anh/chị đừng chuyển cho người khác nhé.</p>`,
  );
}

/** Under which name a file is saved: "Camera 1 Cổng chợ 2026-11-21 14h30m00.mp4". */
export function downloadName({ shows, fileName }: StoredFile): string {
  if (shows === undefined) return fileName;
  const two = (value: number) => String(value).padStart(2, '0');
  const at = toVietnamTime(shows.startMs);
  const day = `${at.year}-${two(at.month)}-${two(at.day)} ${two(at.hour)}h${two(at.minute)}m${two(at.second)}`;
  const ending = /\.[A-Za-z0-9]{1,5}$/.exec(fileName)?.[0] ?? '';
  // signs that no disk takes in a name
  return `Camera ${shows.camera} ${day}${ending}`.replace(/[\\/:*?"<>|\p{Cc}]/gu, '-').normalize('NFC');
}
