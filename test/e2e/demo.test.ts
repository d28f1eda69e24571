import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeFile } from '../support/ffmpeg.js';
import {
  endProducts,
  eventually,
  isTaken,
  type Product,
  type Said,
  startProduct,
  typedMoment,
} from '../support/product.js';
import { projectRoot } from '../support/project-root.js';

const CAMERAS = ['cam1', 'cam2', 'cam3', 'cam4'];

let demo: Product;
let readyMs: number;
beforeAll(async () => {
  demo = await startProduct({ env: { OUTAGE_SECONDS: '5', MAT_THAN_SEGMENT_MS: '4000' } });
  readyMs = await demo.ready;
}, 90_000);
afterAll(endProducts);

/** Waits until these last seconds of a camera are recorded without a gap. */
async function recorded(cameraId: string, seconds: number): Promise<void> {
  const recorder = demo.recorder();
  await eventually(`${cameraId} has ${seconds} s`, async () => {
    const endMs = Date.now() - 1500;
    const coverage = await recorder.coverage(cameraId, { startMs: endMs - seconds * 1000, endMs });
    return coverage.gaps.length === 0;
  });
}

/** The one answer of a turn. */
async function answer(as: string, text: string, where: Parameters<Product['say']>[2] = {}): Promise<Said> {
  const answers = await demo.say(as, text, where);
  expect(answers, `answers to “${text}”`).toHaveLength(1);
  return answers[0]!;
}

const bytes = (said: Said) => fs.readFileSync(said.file!);

/** Types of an MP4's outermost boxes, in order. */
function boxesOf(file: Buffer): string[] {
  const types: string[] = [];
  for (let at = 0; at + 8 <= file.length; at += Math.max(8, file.readUInt32BE(at)))
    types.push(file.toString('latin1', at + 4, at + 8));
  return types;
}

describe('a newcomer types npm start', () => {
  it('is ready within a minute and says where to look', () => {
    expect(readyMs).toBeLessThan(60_000);
    expect(demo.terminal()).toContain(`${demo.url}/console`);
    expect(demo.terminal()).toContain('npm run say -- --as canbo "ảnh 1"');
  });

  it('touches nothing but the folder of the demo', () => {
    expect(fs.readdirSync(demo.cwd)).toEqual([]);
    expect(fs.readdirSync(demo.data)).toEqual(['demo']);
  });

  it('shows the console, and how it is, at its address', async () => {
    const page = await fetch(`${demo.url}/console`);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<html lang="vi"');
    const health = await fetch(`${demo.url}/healthz`);
    expect(await health.json()).toMatchObject({ ok: true, demo: true });
    expect(await (await fetch(`${demo.url}/metrics`)).text()).toMatch(/^# HELP /m);
  });

  it('records four cameras', async () => {
    const recorder = demo.recorder();
    const cameras = await eventually('four cameras are recording', async () => {
      const all = await recorder.cameras();
      return all.every((camera) => camera.state === 'recording') && all;
    });
    expect(cameras.map((camera) => camera.id).sort()).toEqual(CAMERAS);
  });
});

describe('npm run say', () => {
  const shell = (...args: string[]) =>
    spawnSync(process.execPath, [path.join(projectRoot, 'dist', 'src', 'bin', 'say.js'), ...args], {
      cwd: demo.cwd,
      env: demo.env,
      encoding: 'utf8',
    });

  it('prints one JSON line for each reply and ends with 0', async () => {
    await recorded('cam1', 1);
    const run = shell('--as', 'canbo', 'ảnh 1');
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    const lines = run.stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    const said = JSON.parse(lines[0]!) as Said;
    expect(said.kind).toBe('photo');
    expect(path.isAbsolute(said.file!)).toBe(true);
    expect(fs.existsSync(said.file!)).toBe(true);
  });

  it('prints nothing and ends with 0 when chatter in a group needs no answer', () => {
    const run = shell('--as', 'canbo', '--in', 'nhom-canbo', 'chị cho em hỏi');
    expect({ status: run.status, stdout: run.stdout, stderr: run.stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('says who there is when it does not know the person', () => {
    const run = shell('--as', 'ai-do', 'ảnh 1');
    expect(run.status).toBe(1);
    expect(run.stdout).toBe('');
    expect(run.stderr).toContain('Có: truong (');
  });
});

describe('help', () => {
  const MAY: Record<string, { yes: string[]; no: string[] }> = {
    truong: { yes: ['ảnh 1', 'clip 2', 'nhật ký', 'nhóm cán bộ', 'người', 'ghi nhận', 'mời'], no: [] },
    canbo: { yes: ['ảnh 1', 'clip 2', 'mời hộ'], no: ['nhật ký', 'nhóm cán bộ', 'ghi nhận'] },
    thon1: { yes: ['ảnh 4', 'ghi nhận', 'camera'], no: ['clip', 'nhật ký', 'mời hộ'] },
    kythuat: { yes: ['ảnh 1', 'camera'], no: ['clip', 'nhật ký', 'mời hộ', 'ghi nhận'] },
    ho: { yes: ['gửi ảnh, video', '113'], no: ['ảnh 1', 'clip', 'nhật ký', 'ghi nhận'] },
    nguoiungho: { yes: ['gửi ảnh, video'], no: ['ảnh 1', 'clip', 'nhật ký', 'ghi nhận'] },
    khach: { yes: ['gửi ảnh, video', 'mã mời'], no: ['ảnh 1', 'clip', 'nhật ký', 'ghi nhận'] },
  };
  it.each(Object.entries(MAY))(
    'tells %s what that person may do, and nothing else',
    async (who, { yes, no }) => {
      const help = await answer(who, 'trợ giúp');
      for (const word of yes) expect(help.text).toContain(word);
      for (const word of no) expect(help.text).not.toContain(word);
      const rights = await answer(who, 'tôi là ai');
      expect(rights.text.length).toBeGreaterThan(20);
    },
  );
});

describe('an officer looks', () => {
  /** Light and dark pixels of the burnt-in clock. */
  async function clockOf(picture: Buffer) {
    const { data } = await sharp(picture)
      .extract({ left: 20, top: 650, width: 440, height: 38 })
      .greyscale()
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const share = (fits: (level: number) => boolean) =>
      data.filter((level) => fits(level)).length / data.length;
    return { data, light: share((level) => level > 200), dark: share((level) => level < 110) };
  }

  it('gets a picture of this moment, 1280×720, with the clock in it', async () => {
    await recorded('cam1', 1);
    const said = await answer('canbo', 'ảnh 1');
    expect(said).toMatchObject({ kind: 'photo' });
    expect(said.text).toContain('Camera 1 Ngã ba chợ');
    const picture = bytes(said);
    expect(await sharp(picture).metadata()).toMatchObject({ format: 'jpeg', width: 1280, height: 720 });
    const first = await clockOf(picture);
    expect(first.light).toBeGreaterThan(0.05);
    expect(first.light).toBeLessThan(0.6);
    expect(first.dark).toBeGreaterThan(0.3);
    const later = await eventually('the clock goes on', async () => {
      const next = await clockOf(bytes(await answer('canbo', 'ảnh 1')));
      const changed = next.data.filter((level, i) => Math.abs(level - first.data[i]!) > 80).length;
      return changed > 40 && next;
    });
    expect(later.dark).toBeGreaterThan(0.3);
  });

  it.each(['anh 1', 'Ảnh cam số 1', 'cho xem ảnh ngã ba chợ', 'anh cam nga ba cho', '/anh 1'])(
    'understands “%s”',
    async (text) => {
      const said = await answer('canbo', text);
      expect(said.kind).toBe('photo');
      expect(said.text).toContain('Camera 1 Ngã ba chợ');
    },
  );

  it('gets all cameras as one contact sheet', async () => {
    for (const camera of CAMERAS) await recorded(camera, 1);
    const said = await answer('canbo', 'ảnh tất cả');
    expect(said.kind).toBe('photo');
    expect(said.text).toContain('4/4 camera có hình');
    expect(said.buttons).toHaveLength(4);
    const { format, width, height } = await sharp(bytes(said)).metadata();
    expect(format).toBe('jpeg');
    expect(width! * height!).toBeGreaterThan(1000 * 600);
  });

  it('gets a clip that plays at once: H.264 and AAC, index first, keyframe first, as long as asked', async () => {
    await recorded('cam2', 13);
    const said = await answer('canbo', 'clip cam 2 10 giây trước trong 5 giây');
    expect(said.kind).toBe('video');
    const [asked, given] = [/Yêu cầu: (\S+)–(\S+),/, /Có trong clip: (\S+)–(\S+),/].map((line) => {
      const [, from, to] = line.exec(said.text)!;
      return [from!, to!].map((clock) => Date.parse(`1970-01-01T${clock}Z`));
    });
    expect(asked![1]! - asked![0]!).toBe(5000);
    // Seconds are shown, so a start within one GOP (2 s) may read as three.
    expect(given![0]!).toBeLessThanOrEqual(asked![0]!);
    expect(given![0]!).toBeGreaterThanOrEqual(asked![0]! - 3000);
    expect(said.text).not.toContain('Thiếu');

    const probed = await probeFile(said.file!, { packets: true });
    const video = probed.streams.find((stream) => stream.codec_type === 'video')!;
    const audio = probed.streams.find((stream) => stream.codec_type === 'audio')!;
    expect(video).toMatchObject({ codec_name: 'h264', pix_fmt: 'yuv420p', width: 1280, height: 720 });
    expect(audio).toMatchObject({ codec_name: 'aac' });
    const seconds = Number(probed.format.duration);
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThanOrEqual(7.6);
    expect(Number(video.duration)).toBeGreaterThanOrEqual(5);
    expect(probed.packets!.find((packet) => packet.stream_index === 0)!.flags).toMatch(/^K/);
    const boxes = boxesOf(bytes(said));
    expect(boxes.indexOf('moov')).toBeGreaterThan(-1);
    expect(boxes.indexOf('moov')).toBeLessThan(boxes.indexOf('mdat'));
  });

  it('is told of a gap: a camera that was switched off in between', async () => {
    const recorder = demo.recorder();
    const state = (wanted: string) =>
      eventually(`camera 3 is ${wanted}`, async () => (await recorder.camera('cam3')).state === wanted);
    await recorded('cam3', 4);
    const fromMs = Math.floor((Date.now() - 4000) / 1000) * 1000;
    await demo.say('truong', 'camera tắt 3');
    await state('off');
    const offMs = Date.now();
    expect((await answer('canbo', 'ảnh 3')).text).toContain('đã tắt');
    await eventually('two seconds are missing', () => Date.now() > offMs + 2000);
    await demo.say('truong', 'camera bật 3');
    await state('recording');
    await eventually('camera 3 is recorded again for two seconds', async () => {
      const { recorded } = await recorder.coverage('cam3', { startMs: offMs, endMs: Date.now() });
      return recorded.some((range) => range.endMs - range.startMs >= 2000);
    });
    const seconds = Math.floor((Date.now() - fromMs) / 1000);
    const said = await answer('canbo', `clip 3 ${typedMoment(fromMs)} trong ${seconds} giây`);
    expect(said.kind).toBe('video');
    expect(said.text).toMatch(/Thiếu \d\d:\d\d:\d\d–\d\d:\d\d:\d\d.*: đã được tắt/);
    expect(Number((await probeFile(said.file!)).format.duration)).toBeGreaterThan(4);
  });

  it('is shown the nearest cameras for a name that is not there', async () => {
    const unknown = await answer('canbo', 'ảnh cam cổng trừơng tiêu hoc');
    expect(unknown.text).toMatch(/Cổng trường tiểu học|Có phải/);
    const number = await answer('canbo', 'ảnh cam 9');
    expect(number.kind).toBe('text');
    expect(number.text).toMatch(/camera.*9/);
    expect(number.buttons.length).toBeGreaterThanOrEqual(3);
    const pressed = await answer('canbo', '', { press: number.buttons[0]! });
    expect(pressed.kind).toBe('photo');
  });

  it.each([
    ['clip 2 lúc 25h', /25h/],
    ['clip 2 lúc 14h ngày 31/2', /31\/2/],
    ['clip 2 lúc 8h ngày 1/1/2050', /chưa đến/],
    ['clip 2 ngày 1/1/2020', /\S/],
    ['clip 2 từ 0h ngày 1/1/2020 đến 0h ngày 2/1/2020', /\S/],
    ['clip 2 lúc 8h ngày 1/1/2020', /không có hình/],
    ['clip', /camera nào/],
    ['clip 2', /lúc nào/],
  ])('answers “%s” with a sentence', async (text, wanted) => {
    const said = await answer('canbo', text);
    expect(said.kind).toBe('text');
    expect(said.text).toMatch(wanted);
    expect(said.text.length).toBeGreaterThan(20);
    expect(said.text).not.toMatch(/lỗi|undefined|null|NaN|Error/);
  });
});

describe('who may see what', () => {
  it.each(['ho', 'nguoiungho', 'khach'])('refuses %s a picture and a clip', async (who) => {
    for (const text of ['ảnh 1', 'clip 2 1 phút trước']) {
      const said = await answer(who, text);
      expect(said.kind).toBe('text');
      expect(said.text).toContain('chưa được giao quyền');
      expect(said.file).toBeUndefined();
    }
  });

  it('shows a hamlet head the cameras of the own hamlet only', async () => {
    expect((await answer('thon1', 'ảnh 4')).kind).toBe('photo');
    expect((await answer('thon1', 'ảnh 1')).kind).toBe('text');
    expect((await answer('thon1', 'clip 4 1 phút trước')).text).toContain('chưa được giao quyền');
  });

  it('shows a technician the cameras assigned', async () => {
    expect((await answer('kythuat', 'ảnh 1')).kind).toBe('photo');
    expect((await answer('kythuat', 'ảnh 2')).kind).toBe('text');
  });

  it("shows an officer in the officers' group what was asked for, there", async () => {
    const said = await answer('canbo', '/anh 1', { in: 'nhom-canbo' });
    expect(said.kind).toBe('photo');
    expect(said.chat).toBeUndefined();
  });

  it.each([
    ['nhom-chung', '/anh 1', 'photo'],
    ['nhom-thon1', '/clip 4 5 giây trước trong 5 giây', 'video'],
  ])('sends what an officer asks in %s to the private chat', async (group, text, kind) => {
    await recorded('cam4', 8);
    const answers = await demo.say('canbo', text, { in: group });
    const media = answers.filter((said) => said.kind === kind);
    expect(media).toHaveLength(1);
    expect(media[0]!.chat).toBe('canbo');
    const lines = await demo.chat('khach', 'nhom-chung');
    expect(lines.filter((line) => line.from === null && line.files.length > 0)).toEqual([]);
  });

  it.each(['anh ơi', 'tối qua có trộm', 'chị cho em hỏi', 'người đâu mà đông thế', 'ảnh đẹp quá'])(
    'stays silent when a group chats: “%s”',
    async (text) => {
      expect(await demo.say('canbo', text, { in: 'nhom-canbo' })).toEqual([]);
      expect(await demo.say('khach', text, { in: 'nhom-chung' })).toEqual([]);
    },
  );

  it.each(['anh ơi', 'chị cho em hỏi'])('answers “%s” in private with friendly help', async (text) => {
    const said = await answer('ho', text);
    expect(said.kind).toBe('text');
    expect(said.text).toContain('gửi ảnh, video');
  });

  it('lets the chief read who looked at what', async () => {
    const said = await answer('truong', 'nhật ký');
    expect(said.text).toContain('Phạm Minh Tuấn');
    expect(said.text).toContain('xem ảnh');
    expect(said.text).toContain('lấy clip');
    expect((await answer('canbo', 'nhật ký')).text).toContain('chưa được giao quyền');
  });
});

describe('the people of the commune', () => {
  it("reach the officers' group with words and a photo, and nobody's phone", async () => {
    const photo = path.join(demo.cwd, 'nguoi-la.jpg');
    await sharp({ create: { width: 900, height: 700, channels: 3, background: '#557755' } })
      .withExif({ IFD0: { ImageDescription: 'gọi 0912345678' } })
      .jpeg()
      .toFile(photo);
    const receipt = await answer('ho', 'Có người lạ đi quanh xóm, gọi tôi số 0912 345 678', {
      files: [photo],
    });
    fs.rmSync(photo);
    const code = /Mã tin báo: (\S+)/.exec(receipt.text)?.[1];
    expect(code).toBeTruthy();
    const line = await eventually('the report is in the group', async () =>
      (await demo.chat('canbo', 'nhom-canbo')).find(
        (each) => each.from === null && each.text.includes(code!),
      ),
    );
    expect(line.text).toContain('Có người lạ đi quanh xóm');
    expect(line.text.replace(/\D/g, '')).not.toContain('912345678');
    expect(line.text).not.toContain('Nguyễn Thị Hòa');
    expect(line.files).toHaveLength(1);
    const door = JSON.parse(fs.readFileSync(path.join(demo.home, 'say.json'), 'utf8')) as { key: string };
    const file = await fetch(`${demo.url}${line.files[0]!.url}?as=canbo`, {
      headers: { 'x-demo-key': door.key },
    });
    const shown = Buffer.from(await file.arrayBuffer());
    expect(await sharp(shown).metadata()).toMatchObject({ width: 900, height: 700 });
    expect(shown.toString('latin1')).not.toContain('0912345678');
    // Those of the hamlet see nothing of it.
    for (const group of ['nhom-thon1', 'nhom-chung'])
      expect((await demo.chat('ho', group)).some((each) => each.text.includes(code!))).toBe(false);
  });

  it('are thanked for a gift in the group chosen, in figures and in words', async () => {
    const booked = await answer('truong', 'ghi nhận Nguyễn Văn An 167.900.000đ');
    expect(booked.text).toContain('167.900.000đ');
    expect(booked.buttons).toContain('Nhóm chung toàn xã');
    const done = await answer('truong', '', { press: 'Nhóm chung toàn xã' });
    expect(done.text).toContain('Nhóm chung toàn xã');
    const thanks = await eventually('the thanks are in the group', async () =>
      (await demo.chat('khach', 'nhom-chung')).find((line) => line.text.includes('Nguyễn Văn An')),
    );
    expect(thanks.text).toContain('167.900.000đ');
    expect(thanks.text).toContain('một trăm sáu mươi bảy triệu chín trăm nghìn đồng');
    expect((await demo.chat('ho', 'nhom-thon1')).some((line) => line.text.includes('167.900.000'))).toBe(
      false,
    );
  });

  it('are thanked in private too when they have an account', async () => {
    await demo.say('truong', 'ghi nhận Phạm Thị Lan 2 triệu');
    await demo.say('truong', '', { press: 'Không đăng' });
    const thanks = await eventually('the donor is thanked', async () =>
      (await demo.chat('nguoiungho', 'nguoiungho')).find((line) => line.text.includes('2.000.000đ')),
    );
    expect(thanks.text).toContain('hai triệu đồng');
  });

  it.each(['canbo', 'ho', 'kythuat'])('are not booked as donors by %s', async (who) => {
    const said = await answer(who, 'ghi nhận Nguyễn Văn Bình 500.000đ');
    expect(said.text).toContain('chưa được giao quyền');
  });
});

describe('Ctrl-C', () => {
  it('ends everything and keeps nothing open', async () => {
    const before = await demo.processes();
    expect(before.length).toBeGreaterThanOrEqual(3 + CAMERAS.length);
    await demo.stop('SIGINT');
    expect(await demo.ended).toEqual({ code: 0, signal: null });
    expect(await demo.processes()).toEqual([]);
    expect(await isTaken(demo.port)).toBe(false);
    expect(await isTaken(demo.recorderPort)).toBe(false);
  }, 30_000);
});
