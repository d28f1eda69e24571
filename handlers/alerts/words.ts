import { toVietnamTime } from '../../src/base/clock.js';
import { sayClock, sayDuration, sayMoment, sayRange } from '../../src/base/vietnamese/say.js';
import type { Camera } from '../../src/store/cameras.js';
import type { Outage } from '../../src/store/outages.js';
import { causeWords } from './causes.js';
import { type Moved, movedSentence } from './moved.js';

export interface TellableOutage {
  outage: Outage;
  camera: Camera;
}

const sameDay = (a: number, b: number) => {
  const [x, y] = [toVietnamTime(a), toVietnamTime(b)];
  return x.year === y.year && x.month === y.month && x.day === y.day;
};

/** "14:02:10", with the day when it is not today's. */
export const since = (ms: number, nowMs: number) => (sameDay(ms, nowMs) ? sayClock(ms) : sayMoment(ms));

/** "Camera 5 Cổng chợ (thôn 1)" */
export const called = (camera: Camera) =>
  `Camera ${camera.number} ${camera.name}${camera.hamletName === null ? '' : ` (${camera.hamletName})`}`;

function whom(camera: Camera): string {
  const lines = [
    camera.householdName === null ? null : `Hộ gắn camera: ${camera.householdName}`,
    camera.line === null ? null : `Đường truyền: ${camera.line}`,
    camera.switch === null ? null : `Switch: ${camera.switch}`,
  ].filter((line) => line !== null);
  return lines.length === 0 ? '' : `\n${lines.join('\n')}`;
}

/** @param steps what a technician does by hand, where nothing can be looked for */
export function downWords({ outage, camera }: TellableOutage, nowMs: number, steps: string | null): string {
  const cause = causeWords(outage.reason);
  const { reason } = cause;
  const hint = [cause.hint, steps].filter((line) => line !== null).join('\n') || null;
  return `🔴 ${called(camera)} mất hình từ ${since(outage.sinceMs, nowMs)}: ${reason}.${whom(camera)}${hint === null ? '' : `\n${hint}`}`;
}

const andMoved = (moved: Moved | null) => (moved === null ? '' : ` ${movedSentence(moved)}`);

export function backWords({ outage, camera }: TellableOutage, moved: Moved | null): string {
  const backMs = outage.backMs ?? outage.sinceMs;
  return `🟢 ${called(camera)} đã có hình trở lại lúc ${sayClock(backMs)}, mất ${sayDuration(backMs - outage.sinceMs)}.${andMoved(moved)}`;
}

export function pastWords({ outage, camera }: TellableOutage, nowMs: number, moved: Moved | null): string {
  const backMs = outage.backMs ?? outage.sinceMs;
  return `🟡 ${called(camera)} đã mất hình từ ${since(outage.sinceMs, nowMs)} đến ${since(backMs, nowMs)} (${sayDuration(backMs - outage.sinceMs)}): ${causeWords(outage.reason).reason}. Bây giờ đã có hình.${andMoved(moved)}`;
}

export function floodWords(outages: TellableOutage[], nowMs: number): string {
  const lines = outages.map(
    ({ outage, camera }) =>
      `• ${called(camera)}, từ ${since(outage.sinceMs, nowMs)}: ${causeWords(outage.reason).reason}`,
  );
  return `🔴 ${outages.length} camera cùng mất hình:\n${lines.join('\n')}\nNhiều camera cùng lúc thường do mất điện hoặc đứt mạng một khu. Hãy kiểm tra đường truyền chung trước.`;
}

export function floodBackWords(outages: TellableOutage[], moves: ReadonlyMap<number, Moved>): string {
  const lines = outages.map(({ outage, camera }) => {
    const moved = moves.get(camera.id);
    const there =
      moved === undefined ? '' : `, tự tìm thấy ở địa chỉ mới ${moved.to} (trước là ${moved.from})`;
    return `• ${called(camera)}, mất ${sayDuration((outage.backMs ?? outage.sinceMs) - outage.sinceMs)}${there}`;
  });
  return `🟢 ${outages.length} camera đã có hình trở lại:\n${lines.join('\n')}`;
}

export const flapWords = (camera: Camera, times: number) =>
  `🟡 ${called(camera)} chập chờn: ${times} lần mất hình trong một giờ qua. Em tạm thôi báo từng lần, và sẽ báo khi camera ổn định 30 phút hoặc mất hẳn.\nThường do dây mạng lỏng, wifi yếu hoặc nguồn điện kém.`;

export const steadyWords = (camera: Camera) =>
  `🟢 ${called(camera)} đã ổn định trở lại, 30 phút nay không mất hình.`;

export const recorderAwayWords = (sinceMs: number, nowMs: number) =>
  `🔴 Máy ghi không trả lời từ ${since(sinceMs, nowMs)}. Lúc này không xem được hình và có thể không ghi được.\nHãy xem máy chủ còn bật không, rồi khởi động lại Mắt Thần.`;

export const recorderBackWords = (sinceMs: number, backMs: number) =>
  `🟢 Máy ghi đã chạy lại, sau ${sayDuration(backMs - sinceMs)}.`;

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1).replace('.', ',')} GB`;

/** @param deleting false: the recorder can't read its holds and deletes nothing */
export const diskLowWords = (freeBytes: number, totalBytes: number, deleting: boolean) =>
  `🟠 Ổ cứng ghi hình sắp đầy: còn ${gigabytes(freeBytes)}${totalBytes > 0 ? ` trên ${gigabytes(totalBytes)}` : ''}. ${
    deleting
      ? 'Các đoạn cũ nhất sẽ bị xóa sớm hơn hạn.'
      : 'Em không xóa được đoạn cũ nào, vì không đọc được danh sách các đoạn đang giữ: ổ đầy là ngừng ghi.'
  } Hãy dọn bớt hoặc gắn thêm ổ.`;

export const diskOkWords = (freeBytes: number) =>
  `🟢 Ổ cứng ghi hình đã có chỗ trở lại: còn ${gigabytes(freeBytes)}.`;

const hours = (ms: number) => `${Math.max(1, Math.round(ms / 3_600_000))} giờ`;

/** What the recorder says of its disk, holds and clock that calls for somebody: one message each. */
export interface Notice {
  /** of the newest event */
  id: number;
  kind: string;
  atMs: number;
  data: Record<string, unknown>;
  /** how many of this kind came since the last was told */
  count: number;
}

/** Cameras named in one message. */
const MOST_NAMED = 10;

const amount = (value: unknown) => (typeof value === 'number' ? value : 0);

/** The machine's clock was set: what that means for who looks for footage by the clock. */
const clockSetWords = (fromMs: number, toMs: number) =>
  toMs > fromMs
    ? `🟠 Đồng hồ máy ghi hình vừa được chỉnh nhanh lên ${sayDuration(toMs - fromMs)}: từ ${sayMoment(fromMs)} thành ${sayMoment(toMs)}. Hình không mất, nhưng không có giờ nào ở giữa. Trước lúc đó giờ trên hình có thể chậm hơn giờ thật.`
    : `🟠 Đồng hồ máy ghi hình vừa bị chỉnh lùi ${sayDuration(fromMs - toMs)}: từ ${sayMoment(fromMs)} về ${sayMoment(toMs)}. Hình không mất: khoảng giờ ấy được ghi hai lần, khi lấy clip em gửi cả hai bản. Nhờ kỹ thuật viên xem lại đồng hồ máy có đúng không.`;

/** Holds named in one message. */
const MOST_HOLDS_NAMED = 3;

/** What of held footage was taken or changed: the loudest thing there is to say. */
function heldLostWords(held: number, holds: unknown): string {
  if (held === 0) return '';
  const named = Array.isArray(holds) ? (holds as Record<string, unknown>[]) : [];
  const lines = named
    .slice(0, MOST_HOLDS_NAMED)
    .map(
      ({ camera, startMs, endMs, by, why }) =>
        `\n• ${camera}, ${sayRange(amount(startMs), amount(endMs))}: ${why} (${by} giữ)`,
    );
  const more = named.length > lines.length ? `\n… và ${named.length - lines.length} lượt giữ nữa` : '';
  return `\n‼️ TRONG ĐÓ CÓ ${held} ĐOẠN ĐANG ĐƯỢC GIỮ:${lines.join('')}${more}`;
}

/** Somebody else was at the recordings. */
function footageChangedWords(data: Record<string, unknown>): string {
  const [removed, changed, added] = [amount(data.removed), amount(data.changed), amount(data.added)];
  const what = [
    removed > 0 && `${removed} đoạn bị xóa`,
    changed > 0 && `${changed} đoạn bị sửa hoặc hỏng`,
    added > 0 && `${added} tệp lạ được chép vào`,
  ].filter(Boolean);
  const cameras = Array.isArray(data.cameras) ? data.cameras.map(String) : [];
  const where = `${cameras.slice(0, MOST_NAMED).join(', ')}${cameras.length > MOST_NAMED ? ` và ${cameras.length - MOST_NAMED} camera nữa` : ''}`;
  return `🔴 Có ${removed + changed + added} đoạn ghi hình bị xóa hoặc sửa từ bên ngoài, không phải do em: ${what.join(', ')}. Camera: ${where}.${heldLostWords(amount(data.held), data.holds)}\nHãy báo lãnh đạo, giữ nguyên ổ cứng, hỏi xem ai đã mở máy chủ, và nhờ kỹ thuật viên chạy: npm run verify-recordings`;
}

/** Several of them before they could be told are told as one. */
export function footageChangedTwice(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): Record<string, unknown> {
  const sum = (name: string) => amount(before[name]) + amount(after[name]);
  const both = (name: string) =>
    [before[name], after[name]].flatMap((list): unknown[] => (Array.isArray(list) ? list : []));
  return {
    ...{ removed: sum('removed'), added: sum('added'), changed: sum('changed'), held: sum('held') },
    ...{ cameras: [...new Set(both('cameras'))], holds: both('holds') },
  };
}

/** Releasing holds by chat does not exist yet: only who sits at the server can do it. */
const RELEASE_WORDS =
  'Hãy gọi kỹ thuật viên gắn ổ lớn hơn, hoặc bỏ giữ những đoạn đã dùng xong. Việc bỏ giữ chưa làm được bằng tin nhắn; kỹ thuật viên làm trên máy chủ (media/README.md, mục Holds).';

/** "khoảng 7 giờ", "khoảng 12 ngày" */
const about = (ms: number) => (ms < 48 * 3_600_000 ? hours(ms) : `${Math.floor(ms / 86_400_000)} ngày`);

/** Nobody knows what may be deleted: what that means, and how long it can go on so. */
function holdsUnreadableWords(data: Record<string, unknown>, nowMs: number): string {
  const head =
    data.stopped === true
      ? '🔴 ĐÃ NGỪNG HOẶC SẮP NGỪNG GHI HÌNH: ổ cứng đầy mà em không dám xóa đoạn cũ nào, vì không đọc được danh sách các đoạn đang giữ (thư mục holds cạnh các bản ghi).'
      : '🔴 Em không đọc được danh sách các đoạn đang giữ (thư mục holds cạnh các bản ghi). Để khỏi xóa nhầm, em tạm không xóa đoạn cũ nào nữa, nên ổ cứng có thể đầy và việc ghi hình phải dừng.';
  const left =
    typeof data.fullAtMs === 'number' && data.stopped !== true
      ? ` Với nhịp ghi hiện nay, ổ còn đủ khoảng ${about(data.fullAtMs - nowMs)}.`
      : '';
  return `${head}${left}\nHãy nhờ kỹ thuật viên chạy trên máy chủ: npm run doctor. Kết quả nói tệp nào hỏng và cách chữa.`;
}

const NOTICES: Record<string, (notice: Notice, nowMs: number) => string> = {
  'holds-fill-disk': ({ data }, nowMs) => {
    const fullAtMs = amount(data.fullAtMs);
    return `🟠 Các đoạn đang giữ chiếm ${gigabytes(amount(data.heldBytes))} trên ổ cứng ghi hình. Phần còn lại chỉ đủ ghi khoảng ${hours(fullAtMs - nowMs)} nữa (đến ${sayMoment(fullAtMs)}). Đoạn đang giữ thì em không xóa, nên khi hết chỗ việc ghi hình sẽ phải dừng.\n${RELEASE_WORDS}`;
  },
  'disk-full-of-holds': ({ data }) =>
    `🔴 ĐÃ NGỪNG GHI HÌNH: ổ cứng chỉ còn các đoạn đang giữ (${amount(data.holds)} lượt giữ, ${gigabytes(amount(data.heldBytes))}). Em không xóa đoạn đang giữ.\n${RELEASE_WORDS} Có chỗ là trong một phút camera ghi lại ngay.`,
  'disk-failing': ({ data }) =>
    `🔴 Ổ cứng ghi hình không đọc hoặc không ghi được${typeof data.code === 'string' ? ` (lỗi ${data.code})` : ''}. Em không xóa gì trong lúc này.\nHãy xem ổ còn cắm chặt không, có bị chuyển sang chỉ đọc không. Nếu lỗi lặp lại, hãy thay ổ sớm.`,
  'holds-unreadable': ({ data }, nowMs) => holdsUnreadableWords(data, nowMs),
  'holds-readable': () =>
    '🟢 Đã đọc lại được danh sách các đoạn đang giữ. Việc dọn đoạn cũ chạy bình thường.',
  'hold-file-mended': ({ data, count }) =>
    `🟡 ${count > 1 ? `${count} tệp` : 'Một tệp'} ghi lại các đoạn ${data.released === true ? 'đã giữ' : 'đang giữ'} trên ổ ghi hình bị hỏng. Em đã viết lại từ mục lục và cất tệp hỏng bên cạnh (holds/${String(data.aside)}); không mất đoạn nào.\nHãy nhờ kỹ thuật viên xem ổ cứng, nhất là khi còn lặp lại.`,
  'keep-dropped': ({ data, count }) =>
    `🟡 Em đã thôi giữ ${count > 1 ? `${count} đoạn` : `một đoạn (${sayMoment(amount(data.startMs))})`} do máy tự giữ, vì ${data.cause === 'budget' ? 'phần ổ cứng dành cho các đoạn tự giữ đã hết' : 'ổ cứng thiếu chỗ'}. Các đoạn cán bộ yêu cầu giữ vẫn còn nguyên.\nCần đoạn nào, hãy lấy clip ra ngay.`,
  'footage-changed': ({ data }) => footageChangedWords(data),
  'index-rebuilt': () =>
    '🟡 Mục lục hình của máy ghi bị hỏng hoặc mất, em đang lập lại từ các tệp hình. Camera vẫn ghi, hình không mất. Trong ít phút tới, lịch sử và clip cũ có thể còn thiếu.\nNếu lặp lại, hãy nhờ kỹ thuật viên xem ổ cứng chứa thư mục dữ liệu.',
  'clock-set': ({ data }) => clockSetWords(amount(data.fromMs), amount(data.toMs)),
  'clock-doubted': ({ data }) =>
    `🟠 Đồng hồ máy chủ vừa chạy lên trước so với thời gian em đo được: máy báo ${sayMoment(amount(data.wallMs))}, em tính là ${sayMoment(amount(data.trustedMs))}. Em vẫn ghi hình, nhưng chưa xóa đoạn cũ nào theo giờ mới.\nHãy xem lại ngày giờ của máy chủ và bật tự chỉnh giờ qua mạng.`,
  'clock-trusted': ({ data }) =>
    `🟢 Đồng hồ máy chủ đã đúng trở lại (${sayMoment(amount(data.wallMs))}). Việc dọn đoạn cũ chạy bình thường.`,
};

/** Kinds of events that are told to the officers' group as they are. */
export const NOTICE_KINDS: ReadonlySet<string> = new Set(Object.keys(NOTICES));

export const noticeWords = (notice: Notice, nowMs: number): string => NOTICES[notice.kind]!(notice, nowMs);
