import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WorldError } from '../../src/base/errors.js';
import { type Ffmpeg, findFfmpeg } from '../../src/base/ffmpeg.js';
import type { Channel } from '../../src/chat/message.js';
import { DECODE_LIMITS, decodeArguments, decodeUntrusted } from '../../src/intake/decode.js';
import { makeIntake } from '../../src/intake/intake.js';

let ffmpeg: Ffmpeg;
let folder: string;
const log = pino({ level: 'silent' });
const at = (name: string) => path.join(folder, name);

beforeAll(async () => {
  ffmpeg = await findFfmpeg();
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-intake-'));
  const make = (...args: string[]) => execFileSync(ffmpeg.path, ['-v', 'error', '-f', 'lavfi', ...args]);
  make(
    '-i',
    'testsrc2=s=640x360:r=10:d=2',
    '-f',
    'lavfi',
    '-i',
    'sine=d=2',
    '-pix_fmt',
    'yuv420p',
    '-shortest',
    at('phone.mp4'),
  );
  await sharp({ create: { width: 800, height: 600, channels: 3, background: '#3a7' } })
    .jpeg()
    .withExif({ IFD3: { GPSLatitude: '20/1 10/1 0/1' } })
    .toFile(at('photo.jpg'));
  await sharp({ create: { width: 12_000, height: 12_000, channels: 3, background: '#fff' } })
    .png()
    .toFile(at('bomb.png'));
  fs.writeFileSync(
    at('playlist.mp4'),
    '#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n',
  );
  fs.writeFileSync(at('empty.bin'), '');
  fs.writeFileSync(at('words.mp4'), 'chỉ là chữ');
  const whole = fs.readFileSync(at('phone.mp4'));
  fs.writeFileSync(at('cut.mp4'), whole.subarray(0, whole.length / 2));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A platform that delivers one of the prepared files, capped like the real ones. */
const delivering = {
  fetch: async (attachment, target, maxBytes) => {
    if (attachment.ref === 'gone') throw new WorldError('not-found', 'file expired');
    if (attachment.ref === 'down') throw new WorldError('unreachable', 'no network');
    const { size } = fs.statSync(at(attachment.ref));
    if (size > maxBytes) throw new WorldError('too-big', 'over the cap');
    fs.copyFileSync(at(attachment.ref), target);
    return { sizeBytes: size };
  },
} as Channel;

const take = (ref: string, options: { maxBytes?: number; ffmpeg?: Ffmpeg | null } = {}) =>
  makeIntake({ ffmpeg, log, ...options }).take(delivering, { kind: 'document', ref }, at('taken'));

describe('what people send', () => {
  test('a photo is shown as our own encoding, without the place where it was taken', async () => {
    const taken = await take('photo.jpg');
    if (!taken.ok || taken.shown === null) throw new Error('not shown');
    expect(taken).toMatchObject({ kind: 'photo', mime: 'image/jpeg', width: 800, height: 600 });
    expect((await sharp(taken.path).metadata()).exif).toBeDefined();
    expect((await sharp(taken.shown.path).metadata()).exif).toBeUndefined();
  });

  test('a video is shown as an MP4 that plays in a chat', async () => {
    const taken = await take('phone.mp4');
    if (!taken.ok || taken.shown === null) throw new Error('not shown');
    expect(taken.kind).toBe('video');
    expect(taken.shown).toMatchObject({ kind: 'video', width: 640, height: 360 });
    expect(taken.shown.durationMs).toBeGreaterThan(1800);
  });

  test('the type comes from the content: words called .mp4 go on as a document, undecoded', async () => {
    expect(await take('words.mp4')).toMatchObject({ ok: true, kind: 'document', shown: null });
  });

  test('with an ffmpeg before 5 nothing is decoded', async () => {
    const taken = await take('phone.mp4', { ffmpeg: { ...ffmpeg, major: 4 } });
    expect(taken).toMatchObject({ ok: true, kind: 'video', shown: null });
  });
});

describe('what must not get through', () => {
  test('a playlist that points at our files is not opened', async () => {
    expect(await take('playlist.mp4')).toMatchObject({ ok: true, shown: null });
    const out = at('playlist-out.mp4');
    expect(await decodeUntrusted(ffmpeg, 'video/mp4', at('playlist.mp4'), out)).toBeNull();
    expect(fs.existsSync(out)).toBe(false);
  });

  test('a picture of more pixels than allowed goes on undecoded', async () => {
    expect(await take('bomb.png')).toMatchObject({ ok: true, kind: 'photo', shown: null });
  });

  test('a decoding that takes too long is ended, and leaves nothing behind', async () => {
    const out = at('slow.mp4');
    const limits = { ...DECODE_LIMITS, videoTimeMs: 1 };
    expect(await decodeUntrusted(ffmpeg, 'video/mp4', at('phone.mp4'), out, limits)).toBeNull();
    expect(fs.existsSync(out)).toBe(false);
  });

  test('a child without memory fails alone', async () => {
    const limits = { ...DECODE_LIMITS, memoryBytes: 20 * 1024 * 1024 };
    const result = await decodeUntrusted(ffmpeg, 'video/mp4', at('phone.mp4'), at('poor.mp4'), limits);
    expect(result).toBe(process.platform === 'linux' ? null : expect.anything());
  });

  test('a damaged video goes on as it is', async () => {
    expect(await take('cut.mp4')).toMatchObject({ ok: true, kind: 'video' });
  });

  test('every decoding names one demuxer, few decoders and no protocol but file and pipe', () => {
    for (const mime of [
      'image/jpeg',
      'image/png',
      'image/webp',
      'video/mp4',
      'video/quicktime',
      'video/webm',
    ]) {
      const args = decodeArguments(mime, 'in', 'out', DECODE_LIMITS)!;
      const before = args.slice(0, args.indexOf('-i')).join(' ');
      expect(before).toMatch(/-protocol_whitelist file,pipe /);
      expect(before).toMatch(/-format_whitelist (\w+) -f \1 -codec_whitelist /);
      expect(before).toMatch(/-max_pixels \d+/);
    }
    expect(decodeArguments('application/vnd.apple.mpegurl', 'in', 'out', DECODE_LIMITS)).toBeNull();
  });
});

describe('what cannot be taken', () => {
  test.each([
    ['empty.bin', /rỗng/],
    ['gone', /gửi lại/],
  ])('%s gets a sentence that says what to do', async (ref, sentence) => {
    expect(await take(ref)).toMatchObject({ ok: false, sentence: expect.stringMatching(sentence) });
  });

  test('a file over the limit is refused with the limit in the sentence', async () => {
    expect(await take('phone.mp4', { maxBytes: 1000 })).toMatchObject({
      ok: false,
      sentence: expect.stringMatching(/MB/),
    });
  });

  test('a platform that is away is worth another try: the fault is passed on', async () => {
    await expect(take('down')).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('nothing half fetched stays', () => {
    expect(fs.readdirSync(at('taken')).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});
