import { type Ffmpeg, findFfmpeg, runFfmpeg } from '../base/ffmpeg.js';
import { broken, careful, type Finding, fine } from './finding.js';

/** What the product asks of ffmpeg: where it is listed, its name there, and what fails without it. */
const NEEDS = [
  ['-demuxers', 'rtsp', 'không nhận được hình từ camera'],
  ['-muxers', 'mp4', 'không ghi được hình'],
  ['-decoders', 'h264', 'không chụp được ảnh từ camera H.264'],
  ['-decoders', 'hevc', 'không chụp được ảnh từ camera H.265'],
  ['-encoders', 'mjpeg', 'không làm được ảnh'],
  ['-encoders', 'libx264', 'không gửi được clip của camera H.265 vào chat'],
  ['-encoders', 'aac', 'không ghi được tiếng'],
] as const;

const SOURCES: Record<Ffmpeg['kind'], string> = {
  configured: 'theo FFMPEG_PATH',
  system: 'của máy',
  static: 'đi kèm phần mềm',
  installer: 'đi kèm phần mềm',
};

const INSTALL =
  'Hãy cài ffmpeg bản 5 trở lên (Debian, Ubuntu: sudo apt install ffmpeg), rồi khởi động lại Mắt Thần.';

/** What a listing of ffmpeg's names; its lines are " DE name  description". Pure. */
export const listed = (text: string): Set<string> =>
  new Set(
    text.split(/\r?\n/).flatMap((line) => /^\s*[A-Z.]{1,6}\s+([\w,]+)\s/.exec(line)?.[1]?.split(',') ?? []),
  );

async function missing(ffmpeg: Ffmpeg, signal: AbortSignal): Promise<(typeof NEEDS)[number][]> {
  const lists = new Map<string, Set<string>>();
  for (const list of new Set(NEEDS.map(([where]) => where))) {
    const run = await runFfmpeg(ffmpeg, ['-hide_banner', list], { signal, timeoutMs: 5000 });
    lists.set(list, listed(run.stdout.toString('utf8')));
  }
  return NEEDS.filter(([where, name]) => !lists.get(where)?.has(name));
}

/** Looks for the ffmpeg that the recorder would use. `found` is null when none runs. */
export async function checkFfmpeg(
  configured: string | null,
  signal: AbortSignal,
): Promise<{ found: Ffmpeg | null; findings: Finding[] }> {
  let found: Ffmpeg;
  try {
    found = await findFfmpeg({ configured: configured ?? undefined });
  } catch {
    const finding =
      configured === null
        ? broken('ffmpeg', 'Không có ffmpeg chạy được nên không ghi được hình.', INSTALL)
        : broken(
            'ffmpeg',
            `FFMPEG_PATH=${configured} không chạy được nên không ghi được hình.`,
            'Hãy sửa FFMPEG_PATH trong .env, hoặc bỏ dòng đó để dùng ffmpeg có sẵn.',
          );
    return { found: null, findings: [finding] };
  }
  const facts = { path: found.path, version: found.version, major: found.major, kind: found.kind };
  const called = `ffmpeg ${found.version} (${SOURCES[found.kind]})`;
  const lacks = await missing(found, signal);
  if (lacks.length > 0) {
    const names = lacks.map(([, name]) => name);
    return {
      found,
      findings: [
        broken(
          'ffmpeg',
          `${called} thiếu phần ${names.join(', ')}: ${lacks.map(([, , without]) => without).join('; ')}.`,
          configured === null
            ? INSTALL
            : 'Hãy trỏ FFMPEG_PATH trong .env sang một ffmpeg đầy đủ, hoặc bỏ dòng đó để dùng ffmpeg có sẵn.',
          { ...facts, missing: names },
        ),
      ],
    };
  }
  if (found.major < 5)
    return {
      found,
      findings: [
        careful(
          'ffmpeg',
          `${called} là bản cũ: vẫn ghi được, nhưng ai dùng chung máy này có thể thấy mật khẩu camera khi ffmpeg chạy.`,
          INSTALL,
          facts,
        ),
      ],
    };
  return { found, findings: [fine('ffmpeg', `${called}, đủ các phần cần dùng.`, facts)] };
}
